"""Hints at cheaper models: from the organisation's own tokens at list prices, or none."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from byok.catalog.cheaper_models import find_cheaper_models, list_cost
from byok.models import CatalogModel, PriceColumns
from usage.analytics import UsageStats, UsageTotals

WORK = UsageTotals(
    operation="qualification", provider="openrouter", model="anthropic/claude-sonnet-5.5", key_owner="customer",
    requests=10, input_tokens=1_000_000, cached_input_tokens=500_000, cache_write_tokens=0, output_tokens=100_000,
)  # fmt: skip


@pytest.fixture(autouse=True)
def prices(db: None) -> None:
    """Sonnet as it is listed, and Haiku at a quarter of that; no writes to the cache."""
    CatalogModel.objects.filter(model_id="anthropic/claude-sonnet-5.5").update(
        input_price=2, output_price=10, cache_read_price=Decimal("0.2"), cache_write_price=None
    )
    price_haiku(input_price=Decimal("0.5"), output_price=Decimal("2.5"), cache_read_price=Decimal("0.05"))


def price_haiku(**prices: Decimal) -> None:
    nothing = dict.fromkeys(PriceColumns.PRICES)
    CatalogModel.objects.filter(model_id="anthropic/claude-haiku-5.5").update(**nothing | prices)


def stats(*work: UsageTotals) -> UsageStats:
    return UsageStats(date(2026, 11, 1), date(2026, 12, 1), UsageTotals(), [], [], [], [], [], [], by_work=list(work))


def test_the_recommended_model_for_the_same_tokens() -> None:
    [hint] = find_cheaper_models(stats(WORK))
    assert (hint.operation, hint.cheaper_model) == ("qualification", "anthropic/claude-haiku-5.5")
    # 1 M × 2 + 0.5 M × 0.2 + 0.1 M × 10, against 1 M × 0.5 + 0.5 M × 0.05 + 0.1 M × 2.5.
    assert (hint.cost, hint.cheaper_cost, hint.saved) == (Decimal("3.1"), Decimal("0.775"), Decimal("2.325"))


@pytest.mark.parametrize(
    "work",
    [
        replace(WORK, key_owner="platform"),
        replace(WORK, model="anthropic/claude-haiku-5.5"),
        replace(WORK, model="nobody/knows"),
        replace(WORK, provider="gone"),
        replace(WORK, operation="unheard-of"),
        # Sonnet is recommended for research itself.
        replace(WORK, operation="research"),
        # Less than a cent.
        replace(WORK, input_tokens=1000, cached_input_tokens=0, output_tokens=100),
    ],
)
def test_no_hint(work: UsageTotals) -> None:
    assert list(find_cheaper_models(stats(work))) == []


def test_a_small_difference_is_not_worth_a_change() -> None:
    price_haiku(input_price=Decimal("1.9"), output_price=Decimal(10), cache_read_price=Decimal("0.2"))
    assert list(find_cheaper_models(stats(WORK))) == []


def test_a_missing_price_is_unknown() -> None:
    price_haiku(input_price=Decimal("0.5"))
    assert list(find_cheaper_models(stats(WORK))) == []
    # What reading from its cache costs is not told, and half a million tokens were read.
    price_haiku(input_price=Decimal("0.5"), output_price=Decimal("2.5"))
    assert list(find_cheaper_models(stats(WORK))) == []
    assert list_cost(WORK, None) is None
    assert list_cost(WORK, CatalogModel(input_price=Decimal(1))) is None
    only_input = replace(WORK, cached_input_tokens=0, output_tokens=0)
    assert list_cost(only_input, CatalogModel(input_price=Decimal(1))) == 1
