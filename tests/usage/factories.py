"""Usage events as the call path makes them."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from leadagent.tenants.models import Organization
from usage.ledger import ingest
from usage.models import AIUsage
from usage.recording import recorder
from usage.recording.events import CallFinished, CallStarted

AT = datetime(2026, 11, 15, 12, tzinfo=UTC)


def event_id_at(moment: datetime) -> UUID:
    """A UUIDv7 of this millisecond."""
    milliseconds = round(moment.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


def started(organization: Organization, *, at: datetime | None = None, **fields: Any) -> CallStarted:
    values: dict[str, Any] = {
        "id": event_id_at(at or AT),
        "organization_id": organization.pk,
        "operation": "qualification",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "key_owner": "customer",
        "credential_id": None,
        "lead_id": None,
        "run_id": None,
        "streamed": False,
    }
    return CallStarted(**values | fields)


def finished(organization: Organization, *, at: datetime | None = None, **fields: Any) -> CallFinished:
    begun = started(organization, at=at)
    return CallFinished(
        **{name: getattr(begun, name) for name in CallStarted.__dataclass_fields__}
        | {
            "duration_ms": 820,
            "success": True,
            "http_status": 200,
            "input_tokens": 10,
            "output_tokens": 5,
            "estimated_cost": Decimal("0.0001"),
        }
        | fields
    )


def record(*events: CallStarted) -> None:
    """Into the inbox, as the recorder does it."""
    for event in events:
        if isinstance(event, CallFinished):
            recorder.track_ai_usage(event)
        else:
            recorder.begin_ai_usage(event)


def store(*events: CallFinished) -> list[AIUsage]:
    """Recorded and drained; all rows, oldest first."""
    record(*events)
    ingest.drain()
    return list(AIUsage.objects.order_by("created_at", "id"))
