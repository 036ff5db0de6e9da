"""The log of single calls, newest first, paged by key: page a thousand costs what page one does."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from leadagent.keyset import beyond, cursor_of, read_cursor
from leadagent.tenants.models import Organization
from usage.calls.call_filter import CallFilter, calls_of
from usage.models import AIUsage

PAGE = 25


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: list[AIUsage]
    # The place after the last row, for the next page; empty on the last one.
    next_cursor: str


_EVERYTHING = CallFilter()


def usage_log(
    organization: Organization, wanted: CallFilter = _EVERYTHING, *, cursor: str = "", limit: int = PAGE
) -> LogPage:
    """One page of the calls that the filter shows, after `cursor`; raises `leadagent.keyset.BadCursor`."""
    rows = calls_of(organization, wanted)
    if cursor:
        rows = rows.filter(beyond("created_at", read_cursor(cursor, UUID), key="id"))
    found = list(rows.order_by("-created_at", "-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return LogPage(found, cursor_of(found[-1].created_at, found[-1].id) if more else "")
