"""The log of single calls, newest first, paged by key: page a thousand costs what page one does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q

from leadagent.tenants.models import Organization
from usage.calls.call_filter import CallFilter, calls_of
from usage.models import AIUsage

PAGE = 25


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: list[AIUsage]
    # The place after the last row, for the next page; empty on the last one.
    next_cursor: str


class BadCursor(ValueError):
    """A cursor that this log never gave out."""


_EVERYTHING = CallFilter()


def usage_log(
    organization: Organization, wanted: CallFilter = _EVERYTHING, *, cursor: str = "", limit: int = PAGE
) -> LogPage:
    """One page of the calls that the filter shows, after `cursor`; raises `BadCursor`."""
    rows = calls_of(organization, wanted)
    if cursor:
        created_at, row_id = _parse(cursor)
        # The first condition lets the index (and the partitions) do the work.
        rows = rows.filter(created_at__lte=created_at).filter(Q(created_at__lt=created_at) | Q(id__lt=row_id))
    found = list(rows.order_by("-created_at", "-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return LogPage(found, _cursor_after(found[-1]) if more else "")


def _cursor_after(row: AIUsage) -> str:
    # Z for UTC: the plus sign of +00:00 would be a space in an address.
    return f"{row.created_at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{row.id}"


def _parse(cursor: str) -> tuple[datetime, UUID]:
    moment, _, row_id = cursor.partition("_")
    try:
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None:
            raise ValueError("no time zone")
        # Overflows where the moment has no date in UTC.
        return created_at.astimezone(UTC), UUID(row_id)
    except (ValueError, OverflowError):
        raise BadCursor("This page address is damaged: start again from the first page.") from None
