"""The sums of a group of calls, and the few figures that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

# What calls are grouped by: everything else in the totals is a sum.
DIMENSIONS = ("day", "operation", "provider", "model", "key_owner", "error_code")


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Sums over a group of calls; of the dimensions those are filled in that the group was made by.

    `unpriced_requests` cost something that nobody has told us: `cost` is without them.
    """

    day: date | None = None
    operation: str = ""
    provider: str = ""
    model: str = ""
    key_owner: str = ""
    error_code: str = ""
    requests: int = 0
    successes: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    actual_cost: Decimal = Decimal(0)
    estimated_cost: Decimal = Decimal(0)
    unpriced_requests: int = 0
    duration_ms: int = 0

    @classmethod
    def sum_of(cls, groups: Iterable[UsageTotals]) -> UsageTotals:
        """All these groups as one, of no dimension."""
        listed = [cls(), *groups]
        names = [field.name for field in fields(cls) if field.name not in DIMENSIONS]
        return cls(**{name: sum(getattr(group, name) for group in listed) for name in names})

    @property
    def known_cost(self) -> Decimal:
        """What was reported and estimated; 0 where nothing is known."""
        return self.actual_cost + self.estimated_cost

    @property
    def cost(self) -> Decimal | None:
        """What is known of the cost; None when calls of unknown cost are all that cost anything."""
        return None if self.unpriced_requests and not self.known_cost else self.known_cost

    @property
    def failures(self) -> int:
        return self.requests - self.successes

    @property
    def success_rate(self) -> Decimal | None:
        """Successes among requests, between 0 and 1; None without requests."""
        return share(self.successes, self.requests)

    @property
    def actual_share(self) -> Decimal | None:
        """How much of the known cost the providers themselves reported, between 0 and 1; None without known cost.

        Calls of unknown cost are in neither part: `unpriced_requests` stands beside this figure.
        """
        return share(self.actual_cost, self.known_cost)

    @property
    def all_input_tokens(self) -> int:
        """Uncached, read from and written to the cache."""
        return self.input_tokens + self.cached_input_tokens + self.cache_write_tokens


def share(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """The part of the whole, between 0 and 1; None where there is no whole."""
    return Decimal(part) / Decimal(whole) if whole else None
