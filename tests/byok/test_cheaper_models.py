"""Hints at cheaper models: from the organisation's own tokens at list prices, or none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from byok import cheaper_models
from byok.cheaper_models import find_cheaper_models, list_cost
from byok.pricing import Pricing
from usage.analytics import UsageStats, UsageTotals

WORK = UsageTotals(
    operation="qualification", provider="openrouter", model="anthropic/claude-sonnet-5.5", key_owner="customer",
    requests=10, input_tokens=1_000_000, cached_input_tokens=500_000, cache_write_tokens=0, output_tokens=100_000,
)  # fmt: skip
PRICES = {
    "anthropic/claude-sonnet-5.5": Pricing(Decimal(2), Decimal(10), Decimal("0.2"), None, "test"),
    "anthropic/claude-haiku-5.5": Pricing(Decimal("0.5"), Decimal("2.5"), None, None, "test"),
}


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cheaper_models, "get_pricing", lambda provider, model, *, at: PRICES.get(model))
    cheaper_models._prices.cache_clear()
    yield
    cheaper_models._prices.cache_clear()


def stats(*work: UsageTotals) -> UsageStats:
    return UsageStats(date(2026, 11, 1), date(2026, 12, 1), UsageTotals(), [], [], [], [], [], [], by_work=list(work))


def test_the_recommended_model_for_the_same_tokens() -> None:
    [hint] = find_cheaper_models(stats(WORK))
    assert (hint.operation, hint.cheaper_model) == ("qualification", "anthropic/claude-haiku-5.5")
    # 1 M × 2 + 0.5 M × 0.2 + 0.1 M × 10, against 1.5 M × 0.5 (no price for the cache of its own) + 0.1 M × 2.5.
    assert (hint.cost, hint.cheaper_cost, hint.saved) == (Decimal("3.1"), Decimal("1"), Decimal("2.1"))


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


def test_a_small_difference_is_not_worth_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    near = replace(PRICES["anthropic/claude-sonnet-5.5"], input=Decimal("1.9"), cache_read=Decimal("0.2"))
    monkeypatch.setitem(PRICES, "anthropic/claude-haiku-5.5", near)
    assert list(find_cheaper_models(stats(WORK))) == []


def test_a_missing_price_is_unknown() -> None:
    assert list_cost(WORK, None) is None
    assert list_cost(WORK, Pricing(Decimal(1), None, None, None, "test")) is None
    assert list_cost(replace(WORK, output_tokens=0), Pricing(Decimal(1), None, None, None, "test")) == Decimal("1.5")
