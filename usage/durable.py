"""Connections for what must stand whatever the caller's transaction does.

Usage events and quota reservations are facts about the outside world: they may not be
rolled back with the request that caused them. They go through a small pool of
autocommit connections beside Django's own, opened after the worker has forked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections
from psycopg_pool import ConnectionPool

MAX_CONNECTIONS = 8
WAIT_SECONDS = 5.0

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]

_lock = threading.Lock()
_pool: Pool | None = None
_pool_owner: tuple[int, str] | None = None


@contextmanager
def connection() -> Iterator[Connection]:
    """An autocommit connection; raises `psycopg.OperationalError` (or its pool's timeout) when PostgreSQL is away."""
    with _current_pool().connection(timeout=WAIT_SECONDS) as borrowed:
        yield borrowed


def close() -> None:
    """Close this process's pool, for a clean shutdown and between test databases."""
    global _pool, _pool_owner
    with _lock:
        if _pool is not None and _pool_owner is not None and _pool_owner[0] == os.getpid():
            _pool.close()
        _pool = _pool_owner = None


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
                },
                min_size=1,
                max_size=MAX_CONNECTIONS,
                open=True,
                name="usage",
            )
            _pool_owner = owner
        return _pool
