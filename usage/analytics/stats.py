"""The sums of a period in every way a page or an answer wants them: one statement over the rollup.

It reads daily rows, so it costs the same at ten thousand and at ten million calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from leadagent.tenants.models import Organization
from usage.analytics.totals import DIMENSIONS, UsageTotals
from usage.utc_days import current_month

# What can be grouped by, each with the columns that make it.
_SETS = {
    "total": (),
    "day": ("day",),
    "operation": ("operation",),
    "model": ("provider", "model"),
    "provider": ("provider",),
    "key_owner": ("key_owner",),
    "error": ("error_code",),
    # What a cheaper model would have done the same work for.
    "work": ("operation", "provider", "model", "key_owner"),
}
_COUNTS = (
    "requests",
    "successes",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "unpriced_requests",
    "duration_ms",
)
_COSTS = ("actual_cost", "estimated_cost")
_MEASURES = (*_COUNTS, *_COSTS)
_SUMS = ", ".join(
    [
        *(f"coalesce(sum({name}), 0)::bigint" for name in _COUNTS),
        *(f"coalesce(sum({name}), 0)" for name in _COSTS),
    ]
)

Groups = dict[str, list[UsageTotals]]


@dataclass(frozen=True, slots=True)
class UsageStats:
    """A period at a glance. `start` is in, `end` is not.

    Operations, providers and whose key: most expensive first. Models and errors: most requests first.
    Days: those with calls, in order. `before`: the totals of the period that this one is compared to, if asked for.
    """

    start: date
    end: date
    totals: UsageTotals
    by_day: list[UsageTotals]
    by_operation: list[UsageTotals]
    by_model: list[UsageTotals]
    by_provider: list[UsageTotals]
    by_key_owner: list[UsageTotals]
    by_error: list[UsageTotals]
    by_work: list[UsageTotals]
    before: UsageTotals | None = None
    # Days outside of the period, for a forecast; only if asked for.
    recent_days: Sequence[UsageTotals] = ()

    @property
    def top_models(self) -> list[UsageTotals]:
        return self.by_model[:5]


def get_monthly_usage_stats(organization: Organization) -> UsageStats:
    """The current UTC month."""
    return get_ai_usage_stats(organization, *current_month())


def get_ai_usage_stats(
    organization: Organization,
    start: date,
    end: date,
    *,
    before: tuple[date, date] | None = None,
    recent: tuple[date, date] | None = None,
) -> UsageStats:
    """A period's totals in every grouping; with the totals of another period and the days of a third, if given."""
    parts = {"now": (start, end, tuple(_SETS))}
    if before:
        parts["before"] = (*before, ("total",))
    if recent:
        parts["recent"] = (*recent, ("day",))
    found = _read(organization, parts)
    now = found["now"]
    return UsageStats(
        start=start,
        end=end,
        totals=now["total"][0],
        by_day=_in_order(now["day"]),
        by_operation=_most_expensive_first(now["operation"]),
        by_model=_most_requests_first(now["model"]),
        by_provider=_most_expensive_first(now["provider"]),
        by_key_owner=_most_expensive_first(now["key_owner"]),
        by_error=_most_requests_first([group for group in now["error"] if group.failures]),
        by_work=_most_expensive_first(now["work"]),
        before=found["before"]["total"][0] if before else None,
        recent_days=_in_order(found["recent"]["day"]) if recent else (),
    )


def get_total_cost_by_period(organization: Organization, start: date, end: date) -> UsageTotals:
    """The sums over all calls of the period."""
    return _read_one(organization, start, end, "total")[0]


def get_usage_by_operation(organization: Organization, start: date, end: date) -> list[UsageTotals]:
    """The sums per operation, most expensive first."""
    return _most_expensive_first(_read_one(organization, start, end, "operation"))


def get_model_distribution(organization: Organization, start: date, end: date) -> list[UsageTotals]:
    """The sums per model (of each provider), most requests first."""
    return _most_requests_first(_read_one(organization, start, end, "model"))


def get_usage_of_model(organization: Organization, provider: str, model: str, start: date, end: date) -> UsageTotals:
    """The sums of one model at one provider."""
    groups = _read_one(organization, start, end, "model")
    nothing = UsageTotals(provider=provider, model=model)
    return next((group for group in groups if (group.provider, group.model) == (provider, model)), nothing)


def get_usage_by_day(organization: Organization, start: date, end: date) -> list[UsageTotals]:
    """The sums of each day with calls, in order."""
    return _in_order(_read_one(organization, start, end, "day"))


def _read_one(organization: Organization, start: date, end: date, name: str) -> list[UsageTotals]:
    return _read(organization, {"now": (start, end, (name,))})["now"][name]


def _read(organization: Organization, parts: Mapping[str, tuple[date, date, tuple[str, ...]]]) -> dict[str, Groups]:
    """The groupings that each part (start, end, names out of `_SETS`) asks for, in one statement."""
    statements = [_statement(part, sets) for part, (_, _, sets) in parts.items()]
    values = [value for start, end, _ in parts.values() for value in (organization.pk, start, end)]
    found: dict[str, Groups] = {part: {name: [] for name in sets} for part, (_, _, sets) in parts.items()}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), values)
        for part, mask, *row in cursor.fetchall():
            name, group = _NAME_OF_MASK[mask], _totals(row)
            # An unconfirmed call whose end came late leaves its group empty.
            if group.requests or name == "total":
                found[part][name].append(group)
    return found


def _statement(part: str, sets: tuple[str, ...]) -> str:
    # Columns that this part does not group by have no place in its GROUPING().
    columns = ", ".join(name if any(name in _SETS[s] for s in sets) else f"NULL::{_TYPES[name]}" for name in DIMENSIONS)
    grouped = ", ".join(f"({', '.join(_SETS[name])})" for name in sets)
    return (
        f"SELECT '{part}', {_mask_sql(sets)}, {columns}, {_SUMS} FROM usage_usagedaily "
        f"WHERE organization_id = %s AND day >= %s AND day < %s GROUP BY GROUPING SETS ({grouped})"
    )


_TYPES = {name: "date" if name == "day" else "text" for name in DIMENSIONS}
# Which columns a row is grouped by, as bits: the same in SQL and here.
_BITS = {name: 1 << place for place, name in enumerate(DIMENSIONS)}
_NAME_OF_MASK = {sum(_BITS[column] for column in columns): name for name, columns in _SETS.items()}


def _mask_sql(sets: tuple[str, ...]) -> str:
    used = [name for name in DIMENSIONS if any(name in _SETS[s] for s in sets)]
    return " + ".join([f"{_BITS[name]} * (1 - grouping({name}))" for name in used]) or "0"


def _totals(row: Sequence[Any]) -> UsageTotals:
    dimensions = zip(DIMENSIONS, row[: len(DIMENSIONS)], strict=True)
    measures = zip(_MEASURES, row[len(DIMENSIONS) :], strict=True)
    values: dict[str, Any] = {name: value for name, value in (*dimensions, *measures) if value is not None}
    return UsageTotals(**values)


def _in_order(groups: list[UsageTotals]) -> list[UsageTotals]:
    return sorted(groups, key=lambda group: group.day or date.min)


def _most_expensive_first(groups: list[UsageTotals]) -> list[UsageTotals]:
    return sorted(groups, key=lambda group: (-(group.cost or Decimal(0)), -group.requests, _name(group)))


def _most_requests_first(groups: list[UsageTotals]) -> list[UsageTotals]:
    return sorted(groups, key=lambda group: (-group.requests, _name(group)))


def _name(group: UsageTotals) -> tuple[str, ...]:
    return group.operation, group.model, group.provider, group.key_owner, group.error_code
