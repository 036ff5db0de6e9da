"""The log of single calls, newest first, paged by key: page a thousand costs what page one does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from leadagent.tenants.models import Organization
from usage.models import AIUsage

PAGE = 50


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: list[AIUsage]
    # The place after the last row, for the next page; empty on the last one.
    next_cursor: str


class BadCursor(ValueError):
    """A cursor that this log never gave out."""


def usage_log(organization: Organization, *, cursor: str = "", limit: int = PAGE) -> LogPage:
    """One page of the organisation's calls after `cursor`; raises `BadCursor`."""
    rows = AIUsage.objects.filter(organization=organization)
    if cursor:
        created_at, row_id = _parse(cursor)
        # The first condition lets the index (and the partitions) do the work.
        rows = rows.filter(created_at__lte=created_at).filter(Q(created_at__lt=created_at) | Q(id__lt=row_id))
    found = list(rows.order_by("-created_at", "-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return LogPage(found, f"{found[-1].created_at.isoformat()}_{found[-1].id}" if more else "")


def _parse(cursor: str) -> tuple[datetime, UUID]:
    moment, _, row_id = cursor.partition("_")
    try:
        created_at = datetime.fromisoformat(moment)
        parsed_id = UUID(row_id)
    except ValueError:
        raise BadCursor("This page address is damaged: start again from the first page.") from None
    if created_at.tzinfo is None:
        raise BadCursor("This page address is damaged: start again from the first page.")
    return created_at, parsed_id
