"""Events that neither PostgreSQL nor the local disk takes: this process holds them until one of the two does.

The last resort while the database is away and the disk is full. A process that is killed
now loses them, which is why the log and `/readyz` say so as long as it lasts.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
from collections import deque
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from usage.recording import durable, spool

logger = logging.getLogger(__name__)

# Some ten megabytes; what comes on top is lost.
MAX_EVENTS = 10_000
RETRY_SECONDS = 1.0

INSERT = "INSERT INTO usage_usageinbox (event_id, kind, payload) VALUES (%s, %s, %s::jsonb)"

_lock = threading.Lock()
_events: deque[dict[str, Any]] = deque()
_keeper: threading.Thread | None = None


def hold(entry: dict[str, Any]) -> None:
    """Keep an event in memory and go on trying to store it."""
    global _keeper
    with _lock:
        if len(_events) >= MAX_EVENTS:
            logger.error("usage event %s is lost: %d are held in memory already", entry["event_id"], len(_events))
            return
        _events.append(entry)
        if _keeper is None or not _keeper.is_alive():
            _keeper = threading.Thread(target=_keep_trying, name="usage-held", daemon=True)
            _keeper.start()
    logger.error("usage event %s is held in memory only: PostgreSQL and the local disk take nothing", entry["event_id"])


def held() -> int:
    """How many events this process holds in memory only."""
    return len(_events)


def store_held() -> int:
    """Store what is held, in order, until PostgreSQL and the disk refuse again. Returns how many are left."""
    while True:
        with _lock:
            if not _events:
                return 0
            entry = _events[0]
        # An event that is stored twice is recognised by its id.
        if not (_into_inbox(entry) or spool.append(entry)):
            return len(_events)
        with _lock:
            if _events and _events[0] is entry:
                _events.popleft()


def _into_inbox(entry: dict[str, Any]) -> bool:
    try:
        with durable.connection() as connection:
            connection.execute(INSERT, (entry["event_id"], entry["kind"], json.dumps(entry["payload"])))
    except (psycopg.Error, PoolTimeout):
        return False
    return True


def _keep_trying() -> None:
    pause = threading.Event()
    while held():
        pause.wait(RETRY_SECONDS)
        store_held()


@atexit.register
def _last_try() -> None:
    if held() and (left := store_held()):
        logger.error("%d usage events are lost: they were held in memory and the process ends", left)


def _forget() -> None:
    """A forked child has no thread to store them, and they are its parent's."""
    global _keeper, _lock
    _lock = threading.Lock()
    _events.clear()
    _keeper = None


os.register_at_fork(after_in_child=_forget)
