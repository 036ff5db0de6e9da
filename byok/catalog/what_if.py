"""What a month's own tokens would have cost on another model, next to what they did cost.

From the daily rollups: sums of tokens, not single calls. Prices that depend on the length of
one call's context can therefore not be applied; the first tier is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import Enum
from typing import Protocol

from byok.catalog.effect import TokenSums
from byok.config.values import CHAT_OPERATIONS
from byok.models import ModelKind
from leadagent.tenants.models import Organization
from usage.analytics import UsageTotals, get_usage_by_operation
from usage.utc_days import DAY, current_day, current_month, first_of_month

# Which operations a model of each kind could do.
_OPERATIONS: dict[str, tuple[str, ...]] = {ModelKind.CHAT: CHAT_OPERATIONS, ModelKind.EMBEDDING: ("embedding",)}
# More digits than any product of a 64 bit count and a price has.
_EXACT = 80


class Priced(Protocol):
    """What a model costs: US dollars per million tokens, None where nobody tells."""

    @property
    def input_price(self) -> Decimal | None: ...
    @property
    def output_price(self) -> Decimal | None: ...
    @property
    def cache_read_price(self) -> Decimal | None: ...
    @property
    def cache_write_price(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month, half-open; `is_over` unless it is the one we are in."""

    start: date
    end: date
    is_over: bool


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """An organisation's sums of one month by operation."""

    month: Month
    by_operation: dict[str, UsageTotals]

    def of_kind(self, kind: str) -> UsageTotals:
        """The sums of all operations that a model of this kind could have done."""
        return UsageTotals.sum_of(
            self.by_operation[name] for name in _OPERATIONS.get(kind, ()) if name in self.by_operation
        )


class Verdict(Enum):
    """What can be said about a month on another model."""

    PRICED = "priced"
    # No such calls in that month.
    NO_USAGE = "no_usage"
    # The model names no price for tokens that were used.
    NO_PRICE = "no_price"
    # Neither talks nor embeds: it could not have done the work.
    OTHER_WORK = "other_work"


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One month on another model, in US dollars.

    `would_cost` is None where it is not known (see `verdict`). `used` is what really happened: its known cost
    is `used.cost` (reported and estimated), its `unpriced_requests` are not in it. `cache_read_as_input`,
    `cache_write_as_input`: such tokens were used, and the model names no price of their own for them.
    """

    month: Month
    used: UsageTotals
    verdict: Verdict
    would_cost: Decimal | None = None
    cache_read_as_input: bool = False
    cache_write_as_input: bool = False

    @property
    def difference(self) -> Decimal | None:
        """What it would have cost more (less: negative); None unless both sums are wholly known."""
        if self.would_cost is None or self.used.cost is None or self.used.unpriced_requests:
            return None
        with localcontext(prec=_EXACT):
            return self.would_cost - self.used.cost

    @property
    def saved(self) -> Decimal | None:
        """The same the other way round."""
        return None if self.difference is None else -self.difference


def last_month() -> Month:
    """The UTC month before this one."""
    end = first_of_month()
    return Month((end - DAY).replace(day=1), end, is_over=True)


def month_to_date() -> Month:
    """The UTC month that we are in, up to the end of today."""
    start, end = current_month()
    return Month(start, min(current_day() + DAY, end), is_over=False)


def month_usage(organization: Organization, month: Month) -> MonthUsage:
    """The organisation's own sums, in one query."""
    totals = get_usage_by_operation(organization, month.start, month.end)
    return MonthUsage(month, {each.operation: each for each in totals})


def what_if(usage: MonthUsage, *, kind: str, prices: Priced) -> WhatIf:
    """That month on a model of `kind` at `prices`. Exact: nothing is rounded."""
    if kind not in _OPERATIONS:
        return WhatIf(usage.month, UsageTotals(), Verdict.OTHER_WORK)
    used = usage.of_kind(kind)
    if not used.requests:
        return WhatIf(usage.month, used, Verdict.NO_USAGE)
    read_as_input = bool(used.cached_input_tokens) and prices.cache_read_price is None
    write_as_input = bool(used.cache_write_tokens) and prices.cache_write_price is None
    cost = TokenSums.of(used).cost_at(
        {
            "input_price": prices.input_price,
            "output_price": prices.output_price,
            "cache_read_price": prices.input_price if read_as_input else prices.cache_read_price,
            "cache_write_price": prices.input_price if write_as_input else prices.cache_write_price,
        }
    )
    if cost is None:
        return WhatIf(usage.month, used, Verdict.NO_PRICE)
    return WhatIf(usage.month, used, Verdict.PRICED, cost, read_as_input, write_as_input)
