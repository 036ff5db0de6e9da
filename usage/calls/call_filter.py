"""Which of an organisation's calls are meant: by the log, its API and its downloads alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from leadagent.tenants.models import Organization
from usage.models import AIUsage, UsageDaily, UsageState


class Outcome(StrEnum):
    """How a call ended, as people tell it."""

    ANSWERED = "answered"
    FAILED = "failed"
    NOT_CONFIRMED = "not_confirmed"


_OUTCOMES = {
    Outcome.ANSWERED: Q(success=True),
    Outcome.FAILED: Q(success=False) & ~Q(state=UsageState.UNRECONCILED),
    Outcome.NOT_CONFIRMED: Q(state=UsageState.UNRECONCILED),
}


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What to show; everything that is left empty shows all. Dates are UTC days, both included."""

    since: date | None = None
    until: date | None = None
    operation: str = ""
    provider: str = ""
    model: str = ""
    key_owner: str = ""
    outcome: str = ""
    lead: UUID | None = None
    run: UUID | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def as_values(self) -> dict[str, str]:
        """What is set, as texts: for an address, an audit entry, or a row that is read back by `from_values`."""
        return {field.name: str(value) for field in fields(self) if (value := getattr(self, field.name))}

    def as_query(self) -> str:
        """The filter as the query of an address, without a question mark."""
        return urlencode(self.as_values())

    @classmethod
    def from_values(cls, values: dict[str, str]) -> CallFilter:
        """The filter that `as_values` wrote down."""
        readers: dict[str, Callable[[str], Any]] = {
            "since": date.fromisoformat,
            "until": date.fromisoformat,
            "lead": UUID,
            "run": UUID,
        }
        return cls(**{name: readers.get(name, str)(value) for name, value in values.items()})

    @property
    def of_columns(self) -> dict[str, str]:
        """What is set of the columns that single calls and daily sums have in common."""
        columns = ("operation", "provider", "model", "key_owner")
        return {column: value for column in columns if (value := getattr(self, column))}

    @property
    def begins_at(self) -> datetime | None:
        return None if self.since is None else datetime.combine(self.since, time.min, tzinfo=UTC)

    @property
    def ends_before(self) -> datetime | None:
        return None if self.until is None else datetime.combine(self.until, time.min, tzinfo=UTC) + timedelta(days=1)


def calls_of(organization: Organization, wanted: CallFilter) -> QuerySet[AIUsage]:
    """The organisation's calls that the filter shows, in no order."""
    calls = AIUsage.objects.filter(organization=organization)
    if wanted.begins_at:
        calls = calls.filter(created_at__gte=wanted.begins_at)
    if wanted.ends_before:
        calls = calls.filter(created_at__lt=wanted.ends_before)
    calls = calls.filter(**wanted.of_columns)
    if wanted.outcome:
        calls = calls.filter(_OUTCOMES[Outcome(wanted.outcome)])
    if wanted.lead:
        calls = calls.filter(lead_id=wanted.lead)
    if wanted.run:
        calls = calls.filter(run_id=wanted.run)
    return calls


def count_calls(organization: Organization, wanted: CallFilter) -> int:
    """How many calls the filter shows: from the daily sums where they can tell, else counted."""
    if wanted.outcome or wanted.lead or wanted.run:
        return calls_of(organization, wanted).count()
    days = UsageDaily.objects.filter(organization=organization, **wanted.of_columns)
    if wanted.since:
        days = days.filter(day__gte=wanted.since)
    if wanted.until:
        days = days.filter(day__lte=wanted.until)
    total: int | None = days.aggregate(total=Sum("requests"))["total"]
    return total or 0
