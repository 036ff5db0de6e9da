"""Dated public list prices from genai-prices, offline. Asks no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from byok.pricing.corrections import correction_of
from byok.pricing.rates import Pricing, Rates, Tariff, Tier
from byok.providers import REGISTRY, Provider

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, PriceVariant

# The field of Rates -> genai-prices' name. Its cache write without a lifetime is the default one.
_NAMES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}
# How genai-prices marks the prices of other tiers than standard.
_TIERS = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
}
_FREE = Rates(*[Decimal(0)] * 5)


@cache
def price_version() -> str:
    """Which price list a figure was taken from, where no dated price of ours applies; stored with every row."""
    return f"genai-prices {version('genai-prices')}"


def list_pricing(provider: str, model: str, *, at: datetime | None = None) -> Pricing | None:
    """The public list prices of a model at a time (now by default), or None when none are known."""
    from genai_prices.data_snapshot import get_snapshot

    entry = REGISTRY.get(provider)
    if entry is None:
        return None
    if entry.is_free(model):
        return Pricing("list", price_version(), None, Tariff(_FREE))
    try:
        _, listed = get_snapshot().find_provider_model(model, None, entry.price_source, None)
    except LookupError:
        return None
    moment = at or datetime.now(UTC)
    corrected = correction_of(entry.price_source, listed.id, moment)
    standard = _tariff(entry, {**listed.get_prices(moment).__dict__, **corrected})
    if standard is None:
        return None
    special = {}
    for tier, marked in _TIERS.items():
        published = _published(listed.price_variants or (), marked, moment)
        # An empty table says: the same as standard.
        tariff = None if published is None else _tariff(entry, published) if published else standard
        if tariff is not None:
            special[tier] = tariff
    source = f"{price_version()}, corrected" if corrected else price_version()
    return Pricing("list", source, _since(listed, moment), standard, MappingProxyType(special))


def _published(
    variants: Iterable[PriceVariant], marked: Mapping[str, str], moment: datetime
) -> Mapping[str, Any] | None:
    """The prices of one tier as they stand in the list; None before it was listed.

    What such a table leaves out is unknown: it is not taken from the standard prices, as genai-prices would.
    """
    for variant in variants:
        if variant.when == marked and (variant.constraint is None or variant.constraint.active(moment)):
            return variant.prices.__dict__
    return None


def _tariff(entry: Provider, prices: Mapping[str, Any]) -> Tariff | None:
    """None where the list has no price for any kind of text token."""
    told = {name: prices[key] for name, key in _NAMES.items() if prices.get(key) is not None}
    if not told:
        return None
    starts = sorted({tier.start for price in told.values() if not isinstance(price, Decimal) for tier in price.tiers})
    return Tariff(
        _rates(entry, {name: _at_length(price, 0) for name, price in told.items()}),
        tuple(
            Tier(start, _rates(entry, {name: _at_length(price, start + 1) for name, price in told.items()}))
            for start in starts
        ),
    )


def _at_length(price: Any, whole_input: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if whole_input > tier.start]
    found: Decimal = reached[-1] if reached else price.base
    return found


def _rates(entry: Provider, told: dict[str, Decimal]) -> Rates:
    # A price for reading shows that the model is sold with a cache.
    if entry.cache_write_as_input and "input" in told and "cache_read" in told and "cache_write_5m" not in told:
        told["cache_write_5m"] = told["input"]
    return Rates(**told)


def _since(listed: ModelInfo, moment: datetime) -> datetime | None:
    """The day from which the list says that the standard prices count, where it does."""
    if not isinstance(listed.prices, list):
        return None
    for dated in reversed(listed.prices):
        if dated.constraint is None or dated.constraint.active(moment):
            start = getattr(dated.constraint, "start_date", None)
            return datetime.combine(start, time.min, UTC) if start else None
    return None
