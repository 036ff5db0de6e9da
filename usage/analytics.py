"""What an organisation used and what it cost, summed by the database over daily rollups.

Periods are UTC days, half-open: `start` is in, `end` is not. Costs are US dollars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from leadagent.tenants.models import Organization
from usage.models import UsageDaily
from usage.partitions import month_after

_SUMS = {
    name: Coalesce(Sum(name), 0) for name in UsageDaily.MEASURES if name not in {"actual_cost", "estimated_cost"}
} | {name: Coalesce(Sum(name), Decimal(0)) for name in ("actual_cost", "estimated_cost")}


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Sums over a period. `unpriced_requests` cost something that nobody has told us: `cost` is without them."""

    label: str = ""
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

    @property
    def cost(self) -> Decimal | None:
        """What is known of the cost; None when there were calls and no price is known for any."""
        if self.requests and self.unpriced_requests == self.requests:
            return None
        return self.actual_cost + self.estimated_cost

    @property
    def failures(self) -> int:
        return self.requests - self.successes


@dataclass(frozen=True, slots=True)
class UsageStats:
    """A period at a glance: totals, and the same by operation and by model (most requests first)."""

    start: date
    end: date
    totals: UsageTotals
    by_operation: list[UsageTotals]
    by_model: list[UsageTotals]

    @property
    def top_models(self) -> list[UsageTotals]:
        return self.by_model[:5]


def current_month() -> tuple[date, date]:
    """The current UTC month as a half-open period."""
    start = datetime.now(UTC).date().replace(day=1)
    return start, month_after(start)


def last_days(count: int) -> tuple[date, date]:
    """Today and the UTC days before it, `count` in all, as a half-open period."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=count - 1), today + timedelta(days=1)


def get_monthly_usage_stats(organization: Organization) -> UsageStats:
    """The current UTC month."""
    return get_ai_usage_stats(organization, *current_month())


def get_ai_usage_stats(organization: Organization, start: date, end: date) -> UsageStats:
    """A period's totals, by operation and by model."""
    return UsageStats(
        start=start,
        end=end,
        totals=get_total_cost_by_period(organization, start, end),
        by_operation=get_usage_by_operation(organization, start, end),
        by_model=get_model_distribution(organization, start, end),
    )


def get_total_cost_by_period(organization: Organization, start: date, end: date) -> UsageTotals:
    """The sums over all calls of the period."""
    return UsageTotals(**_days(organization, start, end).aggregate(**_SUMS))


def get_usage_by_operation(organization: Organization, start: date, end: date) -> list[UsageTotals]:
    """The sums per operation, most expensive first."""
    totals = _grouped(_days(organization, start, end), "operation")
    return sorted(totals, key=lambda group: (-(group.cost or 0), group.label))


def get_model_distribution(organization: Organization, start: date, end: date) -> list[UsageTotals]:
    """The sums per model, most requests first."""
    return sorted(_grouped(_days(organization, start, end), "model"), key=lambda group: (-group.requests, group.label))


def get_usage_of_model(organization: Organization, provider: str, model: str, start: date, end: date) -> UsageTotals:
    """The sums of one model at one provider."""
    days = _days(organization, start, end).filter(provider=provider, model=model)
    return UsageTotals(label=model, **days.aggregate(**_SUMS))


def _days(organization: Organization, start: date, end: date) -> QuerySet[UsageDaily]:
    return UsageDaily.objects.filter(organization=organization, day__gte=start, day__lt=end)


def _grouped(days: QuerySet[UsageDaily], dimension: str) -> Iterable[UsageTotals]:
    rows: Iterable[dict[str, Any]] = days.values(dimension).annotate(**_SUMS)
    return [UsageTotals(label=row.pop(dimension), **row) for row in rows]
