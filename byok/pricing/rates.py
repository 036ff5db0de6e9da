"""Prices of one model at one time, and what a call costs by them: exact decimals, unknown is None. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, Inexact
from types import MappingProxyType
from typing import Literal

from byok.pricing.tokens import TokenBuckets
from byok.providers import STANDARD, Served

PriceKind = Literal["negotiated", "live", "list"]

MAX_VERSION = 60
# No figure is rounded: a product that needed it would raise.
_EXACT = Context(prec=100, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens of each bucket; None where nobody tells.

    `reasoning`: where thought is sold at a price of its own; else it is output like any other.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None

    def cost(self, tokens: TokenBuckets) -> Decimal | None:
        """US dollars, exact; None as soon as a bucket that holds tokens has no rate."""
        output, thought = tokens.output, 0
        if self.reasoning is not None:
            output, thought = tokens.output - tokens.reasoning, tokens.reasoning
        if tokens.other or output < 0:
            return None
        total = Decimal(0)
        for count, rate in (
            (tokens.uncached_input, self.input),
            (tokens.cache_read, self.cache_read),
            (tokens.cache_write_5m, self.cache_write_5m),
            (tokens.cache_write_1h, self.cache_write_1h),
            (output, self.output),
            (thought, self.reasoning),
        ):
            if not count:
                continue
            if rate is None:
                return None
            total = _EXACT.fma(rate, count, total)
        return _EXACT.scaleb(total, -6)


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of all tokens of a call whose whole input is longer than `above` tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates by the length of the prompt: a longer prompt changes the price of every token, not only of the rest."""

    base: Rates
    # Ascending.
    tiers: tuple[Tier, ...] = ()

    def rates_for(self, whole_input: int) -> Rates:
        return next((tier.rates for tier in reversed(self.tiers) if whole_input > tier.above), self.base)


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a model costs at one time, by whose word and since when.

    `kind`: negotiated by the organisation, live (a provider's list as it was last read), or list (genai-prices).
    `source`: as stored with usage rows. `since`: None where the list does not date it.
    `special`: the tariffs of other tiers than standard (batch, flex, priority, fast), as far as they are published.
    """

    kind: PriceKind
    source: str
    since: datetime | None
    standard: Tariff
    special: Mapping[str, Tariff] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def input(self) -> Decimal | None:
        return self.standard.base.input

    @property
    def output(self) -> Decimal | None:
        return self.standard.base.output

    @property
    def cache_read(self) -> Decimal | None:
        return self.standard.base.cache_read

    @property
    def cache_write(self) -> Decimal | None:
        """The cache that is written by default."""
        return self.standard.base.cache_write_5m

    @property
    def cache_write_1h(self) -> Decimal | None:
        return self.standard.base.cache_write_1h

    def cost(self, tokens: TokenBuckets, served: Served = STANDARD) -> Decimal | None:
        """US dollars of one call, exact; None where a price that it needs is not known."""
        tariff = self.standard if served.tier == STANDARD.tier else self.special.get(served.tier)
        cost = None if tariff is None else tariff.rates_for(tokens.whole_input).cost(tokens)
        return cost if cost is None or served.factor == 1 else _EXACT.multiply(cost, served.factor)

    def version(self, served: Served = STANDARD) -> str:
        """The price list, and what of it was applied, in at most 60 characters: stored with each usage row."""
        tier = "" if served.tier == STANDARD.tier else f", {served.tier}"
        place = "" if served.factor == 1 else f", x{served.factor}"
        return f"{self.source[: MAX_VERSION - len(tier) - len(place)]}{tier}{place}"
