"""What a web process needs for serving requests, and what it only tells.

Unready makes it: a database or broker that does not answer in time, migrations that this version of the code needs
and that were not run, a secret that opens none of the stored keys, and the order to stop. A worker that stalls and a
backlog are told: pages are served and calls are recorded meanwhile, and a load balancer that took every web process
out for it would help nobody.
"""

import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.backoff import NoBackoff
from redis.retry import Retry

from byok.keys.inventory import take_inventory
from leadagent.asking import Question
from leadagent.stopping import is_stopping
from usage.ledger.backlog import Backlog, backlog

# What one answer may take in all; load balancers wait for a few seconds.
ANSWER_SECONDS = 2.0
# Neither changes without a deployment: asked this often, once all is well.
_LOOKED_AFTER_SECONDS = 30.0

State = Literal["ok", "failed", "timeout", "unknown", "pending", "unusable", "incomplete"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each part with its state; `waiting` is None where PostgreSQL could not be asked."""

    database: State
    broker: State
    migrations: State
    secret: State
    is_stopping: bool
    waiting: Backlog | None

    @property
    def is_ready(self) -> bool:
        needed = (self.database, self.broker, self.migrations, self.secret)
        return not self.is_stopping and all(state in {"ok", "incomplete"} for state in needed)


@dataclass(frozen=True, slots=True)
class _InDatabase:
    migrations: State
    secret: State
    waiting: Backlog | None


def readiness() -> Readiness:
    """Ask everybody at once; within `ANSWER_SECONDS`, whatever hangs."""
    deadline = time.monotonic() + ANSWER_SECONDS
    in_database, in_broker = _DATABASE.put(), _BROKER.put()
    database, facts = _answer(in_database, deadline)
    broker, _ = _answer(in_broker, deadline)
    facts = facts or _InDatabase("unknown", "unknown", None)
    return Readiness(database, broker, facts.migrations, facts.secret, is_stopping(), facts.waiting)


def _answer(asked: "Future[Any]", deadline: float) -> tuple[State, Any]:
    try:
        return "ok", asked.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return "timeout", None
    except Exception:
        # Whatever it was (no server, no such database, a wrong password): it did not answer.
        return "failed", None


def _ask_database() -> _InDatabase:
    with connection.cursor() as cursor:
        # A table that stays locked must not keep a server busy with questions nobody waits for any more.
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{ANSWER_SECONDS}s"])
    if _pending_migrations():
        return _InDatabase("pending", "unknown", None)
    return _InDatabase("ok", _secret_state(), _waiting())


def _waiting() -> Backlog | None:
    try:
        return backlog()
    except DatabaseError:
        return None


def _ask_broker() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    finally:
        client.close()


_DATABASE = Question(_ask_database)
_BROKER = Question(_ask_broker)
_migrations_seen_at = _secret_seen_at = float("-inf")


def _pending_migrations() -> bool:
    """Whether this code brings migrations that the database has not seen. A database that is ahead is in order."""
    global _migrations_seen_at
    if time.monotonic() - _migrations_seen_at < _LOOKED_AFTER_SECONDS:
        return False
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return True
    _migrations_seen_at = time.monotonic()
    return False


def _secret_state() -> State:
    """`unusable` where stored keys exist and none is under a configured secret; `incomplete` where some are not.

    By the names in their envelopes: nothing is opened for this.
    """
    global _secret_seen_at
    if time.monotonic() - _secret_seen_at < _LOOKED_AFTER_SECONDS:
        return "ok"
    stored = take_inventory()
    if not stored.unknown:
        _secret_seen_at = time.monotonic()
        return "ok"
    missing = sum(stored.counts[key_id] for key_id in stored.unknown)
    return "unusable" if missing == stored.total else "incomplete"
