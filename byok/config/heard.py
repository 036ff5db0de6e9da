"""What a process keeps in memory until PostgreSQL tells that it has changed: configurations, keys' rows, dated prices.

PostgreSQL tells each change at its commit (triggers of migration `tell_of_changed_configs`, LISTEN/NOTIFY). Before
an answer is taken from memory, what has been told since is read off the listening connection: that is
a look at a socket, no query. What was read before a change was told is never kept: see `_Heard.count`.

Between another process's commit and the arrival of its notice lie milliseconds, in which
a call may still follow the former choice. For keys there is no such gap: `byok.resolver` reads the sealed
key itself anew before each exchange. Where nothing can be heard (connection lost,
PostgreSQL away) nothing is kept, and inside a transaction memory is not asked at all: there the caller's own
uncommitted changes count. The listening connection needs a session of its own: a pooler in
transaction mode (pgbouncer) between here and PostgreSQL would lose the notices.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import psycopg
from django.db import connections
from psycopg import sql

from usage.recording import durable

CHANNEL = "byok_config"

# A connection that is cut without a word (a firewall, a moved address) is noticed within these seconds.
_PROVE_EVERY = 5.0
# So long after a failure nothing is tried: whoever asks meanwhile reads the database.
_RETRY_AFTER = 1.0
# Organisations; one takes a few kilobytes.
_MAX_KEPT = 10_000

T = TypeVar("T")


@dataclass(slots=True)
class _Heard:
    """The listening connection and what has been kept since it listens, by organisation (None: the platform's)."""

    connection: psycopg.Connection[tuple[Any, ...]]
    owner: tuple[int, str]
    proved: float
    # How many notices have come: what was read from the database while one came is not kept.
    count: int = 0
    kept: dict[int | None, dict[Hashable, object]] = field(default_factory=dict)

    def take(self, organization_id: str) -> None:
        """A notice has come: about one organisation, or (empty) about all."""
        self.count += 1
        if organization_id:
            self.kept.pop(int(organization_id), None)
        else:
            self.kept.clear()

    def keep(self, organization_id: int | None, about: Hashable, found: object) -> None:
        if organization_id not in self.kept and len(self.kept) >= _MAX_KEPT:
            self.kept.clear()
        self.kept.setdefault(organization_id, {})[about] = found


_lock = threading.Lock()
_heard: _Heard | None = None
_failed_at = float("-inf")


def recall(organization_id: int | None, about: Hashable, read: Callable[[], T]) -> T:
    """What `read` finds in the database, from memory where that is certain to be what was last heard of.

    `organization_id`: whose changes count; None for what belongs to none. What is returned is shared by threads:
    read it only.
    """
    if connections["default"].in_atomic_block:
        return read()
    with _lock:
        heard = _listen()
        if heard is not None:
            kept = heard.kept.get(organization_id)
            if kept is not None and about in kept:
                return cast("T", kept[about])
        count = heard.count if heard is not None else 0
    found = read()
    if heard is not None:
        with _lock:
            _take_notices(heard)
            if heard is _heard and heard.count == count:
                heard.keep(organization_id, about, found)
    return found


def forget(organization_id: int | None) -> None:
    """Read this organisation's anew next time: it was changed here, or somebody has seen that it is out of date."""
    with _lock:
        if _heard is not None:
            if organization_id is None:
                _heard.kept.clear()
            else:
                _heard.kept.pop(organization_id, None)


def forget_all() -> None:
    """Read everything anew."""
    forget(None)


def close() -> None:
    """Close this process's listening connection; the next question opens one."""
    with _lock:
        _drop()


# --- Listening (the lock is held) ---------------------------------------------------


def _listen() -> _Heard | None:
    """The listening connection with all notices taken; None where nothing can be heard at present."""
    global _heard, _failed_at
    owner = (os.getpid(), str(connections["default"].settings_dict["NAME"]))
    if _heard is not None and _heard.owner != owner:
        _drop()
    if _heard is not None:
        _take_notices(_heard)
    if _heard is None and time.monotonic() - _failed_at >= _RETRY_AFTER:
        try:
            _heard = _Heard(_connect(), owner, time.monotonic())
        except psycopg.Error:
            _failed_at = time.monotonic()
            return None
        heard = _heard
        # Notices that come in beside the answer of a query.
        heard.connection.add_notify_handler(lambda notice: heard.take(notice.payload))
    return _heard


def _connect() -> psycopg.Connection[tuple[Any, ...]]:
    parameters = connections["default"].get_connection_params()
    for of_django in ("cursor_factory", "context"):
        parameters.pop(of_django, None)
    connection = psycopg.connect(**parameters | {"autocommit": True, "application_name": "leadagent-config"})
    try:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _take_notices(heard: _Heard) -> None:
    """Forget what has been told to have changed; forget everything where the connection is lost."""
    global _failed_at
    try:
        now = time.monotonic()
        if now - heard.proved >= _PROVE_EVERY:
            heard.connection.execute("SELECT 1")
            heard.proved = now
        wire = heard.connection.pgconn
        wire.consume_input()
        while notice := wire.notifies():
            heard.take(notice.extra.decode())
    except psycopg.Error:
        _failed_at = time.monotonic()
        if heard is _heard:
            _drop()


def _drop() -> None:
    global _heard
    if _heard is not None:
        heard, _heard = _heard, None
        # A forked child shares its parent's socket: closing the object there would end the parent's session.
        if heard.owner[0] == os.getpid():
            heard.connection.close()


durable.close_too(close)
