"""Pages of leads by key: page a thousand costs what page one does, and a lead that comes or goes moves no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadagent.keyset import BadCursor, beyond, cursor_of, read_cursor
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


def lead_page(
    organization: Organization, wanted: LeadFilter, *, me: User | None = None, cursor: str = "", limit: int = PAGE
) -> LeadPage:
    """One page of the leads that the filter shows, after `cursor`, in one query; raises `BadCursor`."""
    sort = Sort(wanted.sort)
    leads = leads_of(organization, wanted, me=me)
    if cursor:
        leads = leads.filter(beyond(_column(sort), _place(sort, cursor), is_ascending=sort == Sort.OLDEST))
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
        notes = notes.filter(beyond("created_at", _place(Sort.NEWEST, cursor)))
    found = list(notes[: limit + 1])
    has_more, found = len(found) > limit, found[:limit]
    return found, _cursor_after(found[-1], Sort.NEWEST) if has_more else ""


def _column(sort: Sort) -> str:
    return "last_activity_at" if sort == Sort.ACTIVITY else "created_at"


def _cursor_after(row: Lead | LeadNote, sort: Sort) -> str:
    # A place in one order is none in another.
    return f"{sort.value}_{cursor_of(getattr(row, _column(sort)), row.pk)}"


def _place(sort: Sort, cursor: str) -> tuple[datetime, UUID]:
    named, _, place = cursor.partition("_")
    if named != sort.value:
        raise BadCursor
    return read_cursor(place, UUID)
