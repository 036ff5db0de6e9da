"""The audit log as CSV."""

import json
from collections.abc import Iterator
from datetime import UTC

from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.audit_trail.actions import label_of
from leadagent.tenants.audit_trail.log import AuditFilter, audit_events
from leadagent.tenants.models import AuditEvent, Organization

HEADING = (
    "position", "time_utc", "who", "action", "what", "about", "ip_address", "before", "after", "previous_hash", "hash",
)  # fmt: skip


def audit_rows(
    organization: Organization, wanted: AuditFilter, *, request: HttpRequest
) -> Iterator[tuple[object, ...]]:
    """Record that the log is downloaded, and return the rows that the filter showed before that, newest first."""
    own = audit.record(
        "audit.exported",
        organization=organization,
        target=wanted.as_query() or "everything",
        request=request,
    )
    # Newer ones are not what the person saw; this download is one of them.
    shown = audit_events(organization, wanted).filter(pk__lt=own.pk)
    return (_row(event) for event in shown.iterator(chunk_size=2000))


def _row(event: AuditEvent) -> tuple[object, ...]:
    return (
        event.position,
        event.created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        event.actor_label,
        event.action,
        label_of(event.action),
        event.target,
        event.ip_address,
        _json(event.before),
        _json(event.after),
        event.previous_hash,
        event.hash,
    )


def _json(values: object) -> str:
    return "" if values is None else json.dumps(values, ensure_ascii=False, sort_keys=True)
