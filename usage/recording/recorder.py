"""The call path's two writes, and a third for streams. None ever raises into the call that it accounts for.

To PostgreSQL; while that is away to the local disk; where that is full, into memory
until one of the two takes it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from enum import Enum
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from usage.models import InboxKind
from usage.recording import durable, held, nudges, spool
from usage.recording.events import CallFinished, CallStarted

logger = logging.getLogger(__name__)

_LOOK_AND_INSERT: LiteralString = """
WITH seen (value) AS ({look}), begun AS (
    INSERT INTO usage_usageinbox (event_id, kind, payload) SELECT %s, %s, %s::jsonb FROM seen WHERE value = %s
)
SELECT value FROM seen
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be in the database for a call to begin: `query` with `parameters` finds one text, and it is `value`."""

    query: LiteralString
    parameters: tuple[Any, ...]
    value: str


class Unknown(Enum):
    """PostgreSQL could not be asked."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


def begin_ai_usage(event: CallStarted) -> None:
    """Note durably that a call is about to be sent."""
    _put(event.id, InboxKind.STARTED, event.payload())


def begin_if(event: CallStarted, expected: Expected) -> str | Unknown | None:
    """As `begin_ai_usage`, if the database holds what is `expected`: look and write in one exchange.

    Returns what it holds (None: no such row); the start is noted if that is the expected value. `UNKNOWN` while
    PostgreSQL is away: the start is noted elsewhere, and the call may begin.
    """
    payload = event.payload()
    parameters = (*expected.parameters, event.id, InboxKind.STARTED.value, json.dumps(payload), expected.value)
    try:
        with durable.connection() as connection:
            found = connection.execute(_LOOK_AND_INSERT.format(look=expected.query), parameters).fetchone()
    except (psycopg.OperationalError, PoolTimeout):
        _keep({"event_id": str(event.id), "kind": InboxKind.STARTED.value, "payload": payload})
        return UNKNOWN
    except psycopg.Error:
        # The event is at fault, and no reason to leave the look out: a key may have been removed.
        with durable.connection() as connection:
            found = connection.execute(expected.query, expected.parameters).fetchone()
        if found is not None and found[0] == expected.value:
            begin_ai_usage(event)
    return None if found is None else str(found[0])


def name_generation(event: CallStarted, provider_request_id: str) -> None:
    """Note durably what the provider calls the answer that has begun, so that it can be asked about a lost one."""
    payload = CallStarted.payload(event) | {"provider_request_id": provider_request_id}
    _put(event.id, InboxKind.ANSWERED, payload)


def track_ai_usage(event: CallFinished) -> None:
    """Note durably how a call ended: the drain makes it a row of `AIUsage`."""
    _put(event.id, InboxKind.FINISHED, event.payload())
    nudges.nudge()


def _put(event_id: UUID, kind: InboxKind, payload: dict[str, Any]) -> None:
    entry = {"event_id": str(event_id), "kind": kind.value, "payload": payload}
    try:
        with durable.connection() as connection:
            connection.execute(held.INSERT, (event_id, kind.value, json.dumps(payload)))
    except (psycopg.OperationalError, PoolTimeout):
        _keep(entry)
    except Exception:
        # Accounting must not break the call; the event is kept for a person to look at.
        logger.exception("usage event %s could not be written", event_id)
        _keep(entry)


def _keep(entry: dict[str, Any]) -> None:
    if not spool.append(entry):
        held.hold(entry)
