"""Configurations in process memory: the resolver answers without a query, and a saved change is heard of.

PostgreSQL tells each change of a configuration or a key at its commit (triggers of migration
`tell_of_changed_configs`, LISTEN/NOTIFY). Before an answer is taken from memory, what has been told since is read off
the listening connection: that is a look at a socket, no query. What was read before a change
was told is never kept: see `_Heard.count`.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from django.db import connections, transaction
from django.db.models.signals import post_delete, post_save
from psycopg import sql

from byok.models import AIConfig, ProviderCredential
from usage import durable

CHANNEL = "byok_config"

# A connection that is cut without a word (a firewall, a moved address) is noticed within these seconds.
_PROVE_EVERY = 5.0
# So long after a failure nothing is tried: whoever resolves meanwhile reads the database.
_RETRY_AFTER = 1.0
# An organisation takes a few kilobytes.
_MAX_KEPT = 10_000

# The columns whose change the triggers tell, and the sealed text, on which an exchange falls back.
_OF_A_KEY = ("id", "organization_id", "provider", "status", "saved_at", "sealed_key")


@dataclass(frozen=True, slots=True)
class KnownConfig:
    """What is stored for one organisation, as it was at `read_at` (monotonic seconds). Read only: threads share it.

    `config` is None where nothing is stored. Of the keys' rows only what a call needs is there.
    """

    config: AIConfig | None
    credentials: Mapping[str, ProviderCredential]
    read_at: float


@dataclass(slots=True)
class _Heard:
    """The listening connection and what has been kept since it listens."""

    connection: psycopg.Connection[tuple[Any, ...]]
    owner: tuple[int, str]
    proved: float
    # How many notices have come: what was read from the database while one came is not kept.
    count: int = 0
    kept: dict[int, KnownConfig] = field(default_factory=dict)

    def take(self, organization_id: str) -> None:
        """A notice has come: about one organisation, or (empty) about all."""
        self.count += 1
        if organization_id:
            self.kept.pop(int(organization_id), None)
        else:
            self.kept.clear()


_lock = threading.Lock()
_heard: _Heard | None = None
_failed_at = float("-inf")


def known_config(organization_id: int) -> KnownConfig:
    """What is stored for the organisation, from memory where that is certain to be what was last heard of."""
    if connections["default"].in_atomic_block:
        return _read(organization_id)
    with _lock:
        heard = _listen()
        if heard is not None and (kept := heard.kept.get(organization_id)) is not None:
            return kept
        count = heard.count if heard is not None else 0
    found = _read(organization_id)
    if heard is not None:
        with _lock:
            _take_notices(heard)
            if heard is _heard and heard.count == count:
                if len(heard.kept) >= _MAX_KEPT:
                    heard.kept.clear()
                heard.kept[organization_id] = found
    return found


def forget(organization_id: int) -> None:
    """Read this organisation's anew next time: somebody has seen that what is kept is out of date."""
    with _lock:
        if _heard is not None:
            _heard.kept.pop(organization_id, None)


def forget_all() -> None:
    """Read everything anew."""
    with _lock:
        if _heard is not None:
            _heard.kept.clear()


def close() -> None:
    """Close this process's listening connection; the next question opens one."""
    with _lock:
        _drop()


def _read(organization_id: int) -> KnownConfig:
    # Before the queries: what is noted while they run is younger than what they find.
    read_at = time.monotonic()
    config = AIConfig.objects.filter(organization_id=organization_id).first()
    rows = ProviderCredential.objects.filter(organization_id=organization_id).only(*_OF_A_KEY)
    return KnownConfig(config, {row.provider: row for row in rows}, read_at)


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


def _forget_when_committed(instance: AIConfig | ProviderCredential, **_: Any) -> None:
    """What this process saves itself is known at once: the notice takes its way through PostgreSQL."""
    transaction.on_commit(partial(forget, instance.organization_id))


def listen_to_own_saves() -> None:
    """Called once, when the app is ready."""
    for model in (AIConfig, ProviderCredential):
        for saved in (post_save, post_delete):
            saved.connect(_forget_when_committed, sender=model, dispatch_uid=f"{model.__name__} is kept")
    durable.close_too(close)
