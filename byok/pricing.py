"""What a call costs: exact US dollars from dated public prices (genai-prices), or None when unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from byok.providers import REGISTRY, UsageShape

if TYPE_CHECKING:
    from genai_prices import Usage
    from genai_prices.types import PriceCalculation, TieredPrices


@dataclass(frozen=True, slots=True)
class TokenBuckets:
    """Disjoint counts of tokens: none is in two buckets. `reasoning` is the part of `output` that was thought."""

    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Pricing:
    """US dollars per million tokens at the first tier; None where the provider names no price."""

    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None
    source: str


@cache
def price_version() -> str:
    """Which price list a figure was taken from; stored with every row."""
    return f"genai-prices {version('genai-prices')}"


def get_pricing(provider: str, model: str, *, at: datetime | None = None) -> Pricing | None:
    """The list prices of a model at a time (now by default), or None when they are not known."""
    from genai_prices import Usage

    calculated = _calculate(provider, model, Usage(input_tokens=0, output_tokens=0), at)
    if calculated is None:
        return None
    prices = calculated.model_price
    return Pricing(
        input=_base(prices.input_mtok),
        output=_base(prices.output_mtok),
        cache_read=_base(prices.cache_read_mtok),
        cache_write=_base(prices.cache_write_mtok),
        source=price_version(),
    )


def calculate_cost(provider: str, model: str, tokens: TokenBuckets, *, at: datetime | None = None) -> Decimal | None:
    """The cost of one call in US dollars, exact; None when the model's price is not known.

    Context tiers and cache prices are applied as the provider publishes them.
    """
    from genai_prices import Usage

    # genai-prices counts as the providers do: cache reads and writes inside the input.
    usage = Usage(
        input_tokens=tokens.uncached_input + tokens.cache_read + tokens.cache_write,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        cache_write_5m_tokens=tokens.cache_write_5m,
        cache_write_1h_tokens=tokens.cache_write_1h,
        output_tokens=tokens.output,
    )
    calculated = _calculate(provider, model, usage, at)
    return None if calculated is None else calculated.total_price


def _calculate(provider: str, model: str, usage: Usage, at: datetime | None) -> PriceCalculation | None:
    from genai_prices import calc_price

    entry = REGISTRY.get(provider)
    if entry is None:
        return None
    try:
        return calc_price(usage, model, provider_id=entry.price_source, genai_request_timestamp=at)
    except (LookupError, ValueError):
        # Not listed, or listed without a price for one of these kinds of tokens.
        return None


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price if price is None or isinstance(price, Decimal) else price.base


def read_tokens(shape: UsageShape, answer: Mapping[str, Any]) -> tuple[str | None, TokenBuckets] | None:
    """The model and token buckets that a provider's answer states, or None when it states no usage.

    `answer` is the JSON body, or a stream's events folded into the same shape.
    """
    from genai_prices.data_snapshot import get_snapshot

    source = get_snapshot().find_provider(None, shape.source, None)
    try:
        model, usage = source.extract_usage(answer, api_flavor=shape.flavor)
    except (ValueError, LookupError, TypeError):
        return None

    def count(name: str) -> int:
        return max(int(getattr(usage, name) or 0), 0)

    cache_read = count("cache_read_tokens")
    long_write = count("cache_write_1h_tokens")
    write = max(count("cache_write_tokens"), count("cache_write_5m_tokens") + long_write)
    return model, TokenBuckets(
        uncached_input=max(count("input_tokens") - cache_read - write, 0),
        cache_read=cache_read,
        cache_write_5m=write - long_write,
        cache_write_1h=long_write,
        output=count("output_tokens"),
        reasoning=count("output_reasoning_tokens"),
    )
