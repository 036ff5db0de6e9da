"""The call path's two writes, and a third for streams. None ever raises into the call that it accounts for.

To PostgreSQL; while that is away to the local disk; where that is full, into memory
until one of the two takes it.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from usage.models import InboxKind
from usage.recording import durable, held, nudges, spool
from usage.recording.events import CallFinished, CallStarted

logger = logging.getLogger(__name__)


def begin_ai_usage(event: CallStarted) -> None:
    """Note durably that a call is about to be sent."""
    _put(event.id, InboxKind.STARTED, event.payload())


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
