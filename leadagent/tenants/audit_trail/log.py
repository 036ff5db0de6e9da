"""The organisation's audit log as people read it: filtered, newest first, paged by key."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from leadagent.keyset import beyond, cursor_of, read_cursor
from leadagent.tenants.audit_trail.actions import GROUPS, group_named
from leadagent.tenants.models import AuditEvent, Organization

PAGE = 50


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to show; everything that is left empty shows all. Dates are UTC days, both included."""

    # The name of an action, of a group of `actions`, or "other" for what no group holds.
    action: str = ""
    who: str = ""
    since: date | None = None
    until: date | None = None
    about: str = ""

    def __bool__(self) -> bool:
        return bool(self.action or self.who or self.since or self.until or self.about)

    def as_query(self) -> str:
        """The filter as the query of an address, without a question mark."""
        values = {"action": self.action, "who": self.who, "since": self.since, "until": self.until, "about": self.about}
        return urlencode({name: value for name, value in values.items() if value})


@dataclass(frozen=True, slots=True)
class AuditPage:
    events: list[AuditEvent]
    # The place after the last event, for the next page; empty on the last one.
    next_cursor: str


def audit_events(organization: Organization, wanted: AuditFilter) -> QuerySet[AuditEvent]:
    """The organisation's events that the filter shows, newest first."""
    events = AuditEvent.objects.filter(organization=organization)
    if wanted.action:
        events = events.filter(_is_action(wanted.action))
    if wanted.who:
        events = events.filter(actor_label__icontains=wanted.who)
    if wanted.since:
        events = events.filter(created_at__gte=_start_of(wanted.since))
    if wanted.until:
        events = events.filter(created_at__lt=_start_of(wanted.until) + timedelta(days=1))
    if wanted.about:
        events = events.filter(target__icontains=wanted.about)
    return events.order_by("-created_at", "-id")


def audit_page(organization: Organization, wanted: AuditFilter, *, cursor: str = "", limit: int = PAGE) -> AuditPage:
    """One page of `audit_events` after `cursor`; raises `BadCursor`."""
    events = audit_events(organization, wanted)
    if cursor:
        events = events.filter(beyond("created_at", read_cursor(cursor, _event_id)))
    found = list(events[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return AuditPage(found, cursor_of(found[-1].created_at, found[-1].pk) if more else "")


def _is_action(action: str) -> Q:
    if action == "other":
        return ~_of_prefixes([prefix for group in GROUPS for prefix in group.prefixes])
    group = group_named(action)
    return _of_prefixes(group.prefixes) if group else Q(action=action)


def _of_prefixes(prefixes: list[str] | tuple[str, ...]) -> Q:
    any_of = Q()
    for prefix in prefixes:
        any_of |= Q(action__startswith=f"{prefix}.")
    return any_of


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _event_id(written: str) -> int:
    # As long as a number of the column may be.
    if len(written) > 18:
        raise ValueError("no id of ours")
    return int(written)
