"""Pages of leads by key: page a thousand costs what page one does, and a lead that comes or goes moves no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q

from leadagent.leads.inbox.lead_filter import ORDERS, LeadFilter, Sort, leads_of
from leadagent.leads.inbox.notes import notes_of
from leadagent.leads.models import Lead, LeadNote
from leadagent.tenants.models import Organization, User

PAGE = 25


@dataclass(frozen=True, slots=True)
class LeadPage:
    """One page. `next_cursor` is the place after its last row, empty on the last page."""

    leads: list[Lead]
    next_cursor: str


class BadCursor(ValueError):
    """A cursor that this list, in this order, never gave out."""

    def __init__(self) -> None:
        super().__init__("This page address is damaged: start again from the first page.")


def lead_page(
    organization: Organization, wanted: LeadFilter, *, me: User | None = None, cursor: str = "", limit: int = PAGE
) -> LeadPage:
    """One page of the leads that the filter shows, after `cursor`, in one query; raises `BadCursor`."""
    sort = Sort(wanted.sort)
    leads = leads_of(organization, wanted, me=me)
    if cursor:
        moment, pk = _parse(sort, cursor)
        column = _column(sort)
        beyond = "gt" if sort == Sort.OLDEST else "lt"
        # The first condition lets the index do the work.
        leads = leads.filter(**{f"{column}__{beyond}e": moment}).filter(
            Q(**{f"{column}__{beyond}": moment}) | Q(**{f"pk__{beyond}": pk})
        )
    leads = leads.select_related("assigned_to").defer("search").order_by(*ORDERS[sort])
    found = list(leads[: limit + 1])
    has_more, found = len(found) > limit, found[:limit]
    return LeadPage(found, _cursor_after(found[-1], sort) if has_more else "")


def count_up_to(organization: Organization, wanted: LeadFilter, *, me: User | None = None, most: int = 100) -> int:
    """How many leads the filter shows, counted no further than `most`: never more than so many index entries."""
    return leads_of(organization, wanted, me=me)[:most].count()


def note_page(lead: Lead, *, cursor: str = "", limit: int) -> tuple[list[LeadNote], str]:
    """One page of the lead's notes, newest first, after `cursor`, and the next page's; raises `BadCursor`."""
    notes = notes_of(lead)
    if cursor:
        moment, pk = _parse(Sort.NEWEST, cursor)
        notes = notes.filter(created_at__lte=moment).filter(Q(created_at__lt=moment) | Q(pk__lt=pk))
    found = list(notes[: limit + 1])
    has_more, found = len(found) > limit, found[:limit]
    return found, _cursor_after(found[-1], Sort.NEWEST) if has_more else ""


def _column(sort: Sort) -> str:
    return "last_activity_at" if sort == Sort.ACTIVITY else "created_at"


def _cursor_after(row: Lead | LeadNote, sort: Sort) -> str:
    # Z for UTC: the plus sign of +00:00 would be a space in an address.
    moment = getattr(row, _column(sort)).astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{sort.value}_{moment}_{row.pk}"


def _parse(sort: Sort, cursor: str) -> tuple[datetime, UUID]:
    try:
        named, moment, pk = cursor.split("_")
        at = datetime.fromisoformat(moment)
        if named != sort.value or at.tzinfo is None:
            raise ValueError
        # Overflows where the moment has no date in UTC.
        return at.astimezone(UTC), UUID(pk)
    except (ValueError, OverflowError):
        raise BadCursor from None
