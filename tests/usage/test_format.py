from decimal import Decimal

import pytest

from usage.formats import money, operation_label, seconds, tokens


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        ("0", "$0.00"),
        ("3.45", "$3.45"),
        ("1204", "$1,204.00"),
        ("1234567.891", "$1,234,567.89"),
        ("0.5", "$0.50"),
        ("0.042", "$0.042"),
        ("0.00042", "$0.00042"),
        ("0.0004251", "$0.00043"),
        ("0.000000160000", "$0.00000016"),
        ("0.000000000001", "$0.0000000000010"),
        ("0.996", "$1.00"),
        ("-0.25", "-$0.25"),
    ],
)
def test_money(amount: str | None, shown: str) -> None:
    assert money(None if amount is None else Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "unknown"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (4210, "4.2 s"),
        (59_949, "59.9 s"),
        (59_999, "1 min 0 s"),
        (192_000, "3 min 12 s"),
    ],
)
def test_seconds(milliseconds: int | None, shown: str) -> None:
    assert seconds(milliseconds) == shown


def test_operation_label() -> None:
    assert operation_label("email_generation") == "Email generation"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "unknown"), (512, "512"), (8192, "8K"), (200_000, "200K"), (1_000_000, "1M"), (1_048_576, "1.05M")],
)
def test_tokens(count: int | None, shown: str) -> None:
    assert tokens(count) == shown
