"""The two facts a call leaves: that it was about to be sent, and how it ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import uuid6


def new_event_id() -> uuid.UUID:
    """UUIDv7, made before the call: retries of the write are recognised by it."""
    return uuid.UUID(int=uuid6.uuid7().int)


def event_id_at(moment: datetime) -> uuid.UUID:
    """A UUIDv7 of another time, for history that is brought in afterwards."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=(milliseconds << 80) | (uuid6.uuid7().int & ((1 << 80) - 1)))


def time_of(event_id: uuid.UUID) -> datetime:
    """The UTC time inside a UUIDv7, to the millisecond: it is the row's `created_at`."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, tz=UTC)


def _storable(value: Any) -> Any:
    """`value` for jsonb: PostgreSQL knows neither NUL nor lone surrogates in text, and providers may send them."""
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """Written before the request leaves, so that a killed process leaves a trace."""

    id: uuid.UUID
    organization_id: int
    operation: str
    provider: str
    model: str
    key_owner: str
    credential_id: uuid.UUID | None
    lead_id: uuid.UUID | None
    run_id: uuid.UUID | None
    streamed: bool

    def payload(self) -> dict[str, Any]:
        """The event as JSON: ids and sums as text, nothing rounded."""
        return {"created_at": time_of(self.id).isoformat()} | {
            field.name: _storable(getattr(self, field.name)) for field in fields(self)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(CallStarted):
    """How a call ended. Costs are US dollars; None is unknown. Durations are milliseconds."""

    duration_ms: int
    success: bool
    http_status: int | None
    error_code: str = ""
    error_message: str = ""
    provider_request_id: str = ""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    actual_cost: Decimal | None = None
    estimated_cost: Decimal | None = None
    price_version: str = ""
    state: str = "final"

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.cached_input_tokens + self.cache_write_tokens + self.output_tokens

    def payload(self) -> dict[str, Any]:
        # Named, because a slotted dataclass is a new class that bare super() does not find.
        return CallStarted.payload(self) | {"total_tokens": self.total_tokens}
