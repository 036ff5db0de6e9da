"""How far accounting is behind: what waits where, since when, and whether the worker still drains."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.cache import cache
from django.db import connection

from usage.recording import held, spool

# Beat has the inbox drained every five seconds; twelve missed turns are no hiccup.
LATE_AFTER_SECONDS = 60
_DRAINED_AT = "usage:drained-at"
# Nobody needs to know more exactly, and counting millions takes seconds.
_COUNTED_UP_TO = 100_000


@dataclass(frozen=True, slots=True)
class LocalBacklog:
    """What waits outside of PostgreSQL: on this machine's disk, and in this process."""

    spool_bytes: int
    spool_seconds: int
    rejected_bytes: int
    held_events: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in PostgreSQL. Ages are whole seconds, 0 where nothing waits.

    `events` is counted up to 100,000. `open_calls` were sent and have not ended yet.
    `drained_seconds` is None where nobody knows: the note is in the cache.
    """

    seconds: int
    events: int
    open_calls: int
    unsettled_calls: int
    unstorable: int
    conflicts: int
    drained_seconds: int | None

    @property
    def is_late(self) -> bool:
        return self.seconds > LATE_AFTER_SECONDS

    @property
    def worker_is_stalled(self) -> bool:
        return self.drained_seconds is not None and self.drained_seconds > LATE_AFTER_SECONDS


_COUNTS = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT received_at FROM usage_usageinbox WHERE kind = 'finished' ORDER BY seq LIMIT 1)), 0),
       (SELECT count(*) FROM (SELECT FROM usage_usageinbox WHERE kind = 'finished' LIMIT %(most)s) AS waiting),
       (SELECT count(*) FROM (SELECT FROM usage_usageinbox WHERE kind = 'started' LIMIT %(most)s) AS open),
       (SELECT count(*) FROM usage_unsettledcall),
       (SELECT count(*) FROM usage_deadletter WHERE kind = 'unstorable'),
       (SELECT count(*) FROM usage_deadletter WHERE kind = 'conflict')
"""


def note_drained() -> None:
    """The worker has looked after the inbox just now."""
    cache.set(_DRAINED_AT, time.time(), None)


def backlog() -> Backlog:
    """Ask PostgreSQL; raises `DatabaseError` while it is away."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"most": _COUNTED_UP_TO})
        seconds, events, open_calls, unsettled, unstorable, conflicts = cursor.fetchone()
    drained_at = cache.get(_DRAINED_AT)
    return Backlog(
        seconds=int(max(seconds, 0)),
        events=events,
        open_calls=open_calls,
        unsettled_calls=unsettled,
        unstorable=unstorable,
        conflicts=conflicts,
        drained_seconds=None if drained_at is None else int(max(time.time() - drained_at, 0)),
    )


def local_backlog() -> LocalBacklog:
    """Look at the disk and at this process; asks nobody, so it answers while everything else is away."""
    waiting = spool.spooled()
    age = (datetime.now(UTC) - waiting.oldest).total_seconds() if waiting.oldest else 0
    return LocalBacklog(waiting.bytes, int(max(age, 0)), waiting.rejected_bytes, held.held())
