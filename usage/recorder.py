"""The call path's two writes. Neither ever raises into the call that it accounts for.

To PostgreSQL; while that is away to the local disk; where that is full, into memory
until one of the two takes it.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from usage import durable, held, nudges, spool
from usage.events import CallFinished, CallStarted
from usage.models import InboxKind

logger = logging.getLogger(__name__)


def begin_ai_usage(event: CallStarted) -> None:
    """Note durably that a call is about to be sent."""
    _write(event, InboxKind.STARTED)


def track_ai_usage(event: CallFinished) -> None:
    """Note durably how a call ended: the drain makes it a row of `AIUsage`."""
    _write(event, InboxKind.FINISHED)
    nudges.nudge()


def _write(event: CallStarted, kind: InboxKind) -> None:
    payload = event.payload()
    entry = {"event_id": str(event.id), "kind": kind.value, "payload": payload}
    try:
        with durable.connection() as connection:
            connection.execute(held.INSERT, (event.id, kind.value, json.dumps(payload)))
    except (psycopg.OperationalError, PoolTimeout):
        _keep(entry)
    except Exception:
        # Accounting must not break the call; the event is kept for a person to look at.
        logger.exception("usage event %s could not be written", event.id)
        _keep(entry)


def _keep(entry: dict[str, Any]) -> None:
    if not spool.append(entry):
        held.hold(entry)
