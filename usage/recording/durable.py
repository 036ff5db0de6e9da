"""Connections for what must stand whatever the caller's transaction does.

Usage events and quota reservations are facts about the outside world: they may not be
rolled back with the request that caused them. They go through a small pool of
autocommit connections beside Django's own, opened after the worker has forked.

While PostgreSQL is away nobody waits for it but one caller every now and then: a call
with an own key goes on meanwhile, and would else wait for its start, its end and its
key's state in turn.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections
from psycopg_pool import ConnectionPool, PoolTimeout

MAX_CONNECTIONS = 8
WAIT_SECONDS = 5.0
# Once PostgreSQL was found away, nobody asks for so long; then one caller does, with less patience.
AWAY_SECONDS = 1.0
PROBE_SECONDS = 2.0
# A table that stays locked, and a network that swallows everything, are as good as away.
_STATEMENT_TIMEOUT = "-c statement_timeout=5s"
_SILENCE_MS = 10_000

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]

_lock = threading.Lock()
_pool: Pool | None = None
_pool_owner: tuple[int, str] | None = None
# Until when (monotonic seconds) PostgreSQL counts as away; 0 while it is there.
_away_until = 0.0
_others: list[Callable[[], None]] = []


@contextmanager
def connection() -> Iterator[Connection]:
    """An autocommit connection; raises `psycopg.OperationalError` (or its pool's timeout) when PostgreSQL is away."""
    is_probe = _may_ask()
    pool = _current_pool()
    try:
        borrowing = pool.connection(timeout=PROBE_SECONDS if is_probe else WAIT_SECONDS)
        with borrowing as borrowed:
            if is_probe:
                _note_away(0.0)
            try:
                yield borrowed
            except psycopg.OperationalError:
                if borrowed.closed:
                    _note_away(AWAY_SECONDS)
                    # After a restart the pool's other connections are dead too: each would fail a call.
                    pool.check()
                raise
    except PoolTimeout:
        _note_away(AWAY_SECONDS)
        raise


def _may_ask() -> bool:
    """Whether this caller is the one that finds out if PostgreSQL is back; raises while others need not ask."""
    global _away_until
    with _lock:
        if not _away_until:
            return False
        now = time.monotonic()
        if now < _away_until:
            raise psycopg.OperationalError("PostgreSQL was away a moment ago")
        _away_until = now + PROBE_SECONDS
        return True


def _note_away(seconds: float) -> None:
    global _away_until
    with _lock:
        _away_until = time.monotonic() + seconds if seconds else 0.0


def close() -> None:
    """Close this process's pool, for a clean shutdown and between test databases."""
    global _pool, _pool_owner, _away_until
    with _lock:
        _away_until = 0.0
        if _pool is not None and _pool_owner is not None and _pool_owner[0] == os.getpid():
            _pool.close()
        _pool = _pool_owner = None
    for also_close in _others:
        also_close()


def close_too(close_other: Callable[[], None]) -> None:
    """Have another connection that lasts as long as the process closed together with the pool."""
    _others.append(close_other)


def _current_pool() -> Pool:
    global _pool, _pool_owner
    database = connections["default"].settings_dict["NAME"]
    owner = (os.getpid(), str(database))
    if _pool is not None and _pool_owner == owner:
        return _pool
    with _lock:
        if _pool is None or _pool_owner != owner:
            parameters = connections["default"].get_connection_params()
            parameters.pop("cursor_factory", None)
            parameters.pop("context", None)
            _pool = ConnectionPool(
                kwargs={
                    **parameters,
                    "autocommit": True,
                    "application_name": "leadagent-usage",
                    "options": " ".join(filter(None, [parameters.get("options"), _STATEMENT_TIMEOUT])),
                    "tcp_user_timeout": _SILENCE_MS,
                },
                min_size=1,
                max_size=MAX_CONNECTIONS,
                open=True,
                name="usage",
                # By itself the pool would try again ever more rarely: a caller's probe starts the next try.
                reconnect_timeout=PROBE_SECONDS,
            )
            _pool_owner = owner
        return _pool
