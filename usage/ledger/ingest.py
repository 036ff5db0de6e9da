"""Draining the inbox: events become rows of AIUsage and move the rollup, each exactly once.

One batch is one transaction. Several drainers work side by side (`SKIP LOCKED`); an
event that comes twice is recognised by its id; one that cannot be stored is put aside
with the reason instead of holding up the others.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from django.db import DataError, IntegrityError, connection, transaction

from usage.analytics import durations
from usage.ledger.partitions import ensure_partitions
from usage.ledger.replaying import replay_spool
from usage.models import UsageDaily

logger = logging.getLogger(__name__)

BATCH = 2_000

# column -> type, as the events' payload carries them.
COLUMNS = {
    "id": "uuid",
    "created_at": "timestamptz",
    "organization_id": "bigint",
    "operation": "text",
    "provider": "text",
    "model": "text",
    "key_owner": "text",
    "credential_id": "uuid",
    "lead_id": "uuid",
    "run_id": "uuid",
    "streamed": "boolean",
    "duration_ms": "integer",
    "success": "boolean",
    "http_status": "smallint",
    "error_code": "text",
    "error_message": "text",
    "provider_request_id": "text",
    "input_tokens": "bigint",
    "cached_input_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "total_tokens": "bigint",
    # As precise as the table: what the provider states beyond that is no other figure.
    "actual_cost": "numeric(20, 12)",
    "estimated_cost": "numeric(20, 12)",
    "price_version": "text",
    "state": "text",
}
_NAMES = ", ".join(COLUMNS)
_RECORD = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())

# Kept by the connection: a table made anew for every batch would bloat the catalog.
STAGE = f"""
CREATE TEMP TABLE IF NOT EXISTS usage_stage ({_RECORD}, seq bigint, received_at timestamptz) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS usage_replaced (LIKE usage_aiusage) ON COMMIT DELETE ROWS;
TRUNCATE usage_stage, usage_replaced
"""

_PICK = "SELECT seq FROM usage_usageinbox WHERE kind = 'finished' ORDER BY seq LIMIT %s FOR UPDATE SKIP LOCKED"

# Picked once: as a plain subquery a plan may run it again, and each run locks further rows.
_TAKE = f"""
WITH picked AS MATERIALIZED ({{pick}}), taken AS (
    DELETE FROM usage_usageinbox AS inbox USING picked WHERE inbox.seq = picked.seq
    RETURNING inbox.seq, inbox.received_at, inbox.payload
)
INSERT INTO usage_stage ({_NAMES}, seq, received_at)
SELECT {", ".join(f"event.{name}" for name in COLUMNS)}, taken.seq, taken.received_at
FROM taken CROSS JOIN LATERAL jsonb_to_record(taken.payload) AS event({_RECORD})
"""

# A row that was given up as unreconciled makes room for the truth that came late; so does one
# that its provider repaired, but only for an event that knows the cost itself.
_REPLACE = """
WITH old AS (
    DELETE FROM usage_aiusage AS old USING usage_stage AS event
    WHERE old.id = event.id AND old.created_at = event.created_at AND event.state = 'final'
    AND (old.state = 'unreconciled' OR (old.state = 'repaired' AND event.actual_cost IS NOT NULL))
    RETURNING old.*
)
INSERT INTO usage_replaced SELECT DISTINCT ON (id) * FROM old
"""

# Of several in one batch the first stands, and a recorded end before one that was given up.
_INSERT = f"""
INSERT INTO usage_aiusage ({_NAMES})
SELECT DISTINCT ON (id) {_NAMES} FROM usage_stage ORDER BY id, state = 'unreconciled', seq
ON CONFLICT (id, created_at) DO NOTHING
RETURNING *
"""

_MEASURES = {
    "requests": "count(*)",
    "successes": "count(*) FILTER (WHERE success)",
    **{
        name: f"sum({name})"
        for name in (
            "input_tokens",
            "cached_input_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "total_tokens",
        )
    },
    "actual_cost": "coalesce(sum(actual_cost), 0)",
    "estimated_cost": "coalesce(sum(estimated_cost) FILTER (WHERE actual_cost IS NULL), 0)",
    "unpriced_requests": "count(*) FILTER (WHERE actual_cost IS NULL AND estimated_cost IS NULL)",
    "duration_ms": "coalesce(sum(duration_ms), 0)",
    "durations": durations.COUNTED_SQL,
}
_KEY = ", ".join(UsageDaily.DIMENSIONS)


def rollup_select(source: str, *, sign: int = 1) -> str:
    """SQL that sums `source` (rows shaped like AIUsage) into rows shaped like UsageDaily."""
    sums = ", ".join(f"{sign} * ({_MEASURES[name]}) AS {name}" for name in UsageDaily.MEASURES)
    return (
        "SELECT organization_id, (created_at AT TIME ZONE 'UTC')::date AS day, operation, provider, model, key_owner, "
        f"error_code, {sums} FROM {source} GROUP BY {_KEY} ORDER BY {_KEY}"
    )


def moving_rollup(change: str) -> str:
    """`change` (a statement that returns new AIUsage rows) together with what it means for the rollup.

    The rows that it takes the place of stand in `usage_replaced`. One statement in the order
    of the keys, so that two drainers never lock each other out.
    """
    names = ", ".join(UsageDaily.MEASURES)
    sums = ", ".join(f"sum({name})" for name in UsageDaily.MEASURES)
    added = ", ".join(f"{name} = daily.{name} + excluded.{name}" for name in UsageDaily.MEASURES)
    return (
        f"WITH changed AS ({change}), moved AS "
        f"(({rollup_select('changed')}) UNION ALL ({rollup_select('usage_replaced', sign=-1)})) "
        f"INSERT INTO usage_usagedaily AS daily ({_KEY}, {names}) "
        f"SELECT {_KEY}, {sums} FROM moved GROUP BY {_KEY} ORDER BY {_KEY} "
        f"ON CONFLICT ({_KEY}) DO UPDATE SET {added}"
    )


_STORE = moving_rollup(_INSERT)

# The fields that differ, with the kept and the new value, as the reason.
_CONFLICTS = f"""
INSERT INTO usage_deadletter (event_id, kind, payload, reason, received_at)
SELECT event.id, 'conflict', to_jsonb(event) - 'seq' - 'received_at', 'The first figures stand: ' || (
    SELECT string_agg(key || ' ' || coalesce(was.value, 'unknown') || ', now ' || coalesce(came.value, 'unknown'), '; '
                      ORDER BY key)
    FROM jsonb_each_text(to_jsonb(kept)) AS was JOIN jsonb_each_text(to_jsonb(event)) AS came USING (key)
    WHERE was.value IS DISTINCT FROM came.value
), event.received_at
FROM usage_stage AS event JOIN usage_aiusage AS kept USING (id, created_at)
WHERE kept.state = 'final' AND event.state = 'final' AND ({", ".join(f"event.{n}" for n in COLUMNS)})
IS DISTINCT FROM ({", ".join(f"kept.{n}::{t}" for n, t in COLUMNS.items())})
ON CONFLICT DO NOTHING RETURNING event_id
"""

# Calls that failed on the way back, at an unknown cost, under a name that their provider knows.
_NOTE_UNSETTLED = """
INSERT INTO usage_unsettledcall (usage_id, usage_created_at, organization_id, provider, key_owner, credential_id,
                                 provider_request_id, attempts)
SELECT DISTINCT ON (kept.id) kept.id, kept.created_at, kept.organization_id, kept.provider, kept.key_owner,
       kept.credential_id, kept.provider_request_id, 0
FROM usage_stage AS event JOIN usage_aiusage AS kept USING (id, created_at)
WHERE NOT event.success AND event.actual_cost IS NULL AND event.estimated_cost IS NULL
AND NOT kept.success AND kept.actual_cost IS NULL AND kept.estimated_cost IS NULL
AND kept.state <> 'repaired' AND kept.provider_request_id <> ''
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """`taken` events left the inbox; `failed` were put aside. `organizations`: whose sums a batch has moved."""

    taken: int
    failed: int = 0
    organizations: frozenset[int] = frozenset()


def drain(limit: int = BATCH) -> Drained:
    """Move up to `limit` finished events into AIUsage and the rollup."""
    replay_spool()
    _prepare_partitions()
    try:
        return _drain_batch(limit)
    except (DataError, IntegrityError):
        # One event of the batch cannot be stored: find it by taking them one at a time.
        logger.exception("a batch of usage events could not be stored; storing them singly")
        return _drain_singly(limit)


def _prepare_partitions() -> None:
    """Make the months of the waiting events: late ones may be older than what beat prepared."""
    with connection.cursor() as cursor:
        cursor.execute(
            # A damaged time makes no partition: the batch then puts its event aside.
            "SELECT DISTINCT date_trunc('month', moment AT TIME ZONE 'UTC')::date FROM ("
            "SELECT CASE WHEN pg_input_is_valid(payload->>'created_at', 'timestamptz') "
            "THEN (payload->>'created_at')::timestamptz END AS moment "
            "FROM usage_usageinbox ORDER BY seq LIMIT %s) AS waiting "
            "WHERE moment >= '2020-01-01 00:00+00' AND moment < '2100-01-01 00:00+00' "
            # An event of a month whose rows are gone may have been counted already: nobody can tell any more.
            "AND date_trunc('month', moment AT TIME ZONE 'UTC')::date NOT IN (SELECT month FROM usage_droppedmonth)",
            [BATCH],
        )
        months: list[date] = [row[0] for row in cursor.fetchall()]
    ensure_partitions(months)


def _drain_batch(limit: int) -> Drained:
    return _store(_TAKE.format(pick=_PICK), limit)


def _store(take: str, value: int) -> Drained:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.execute(take, [value])
        taken: int = cursor.rowcount
        if not taken:
            return Drained(0)
        cursor.execute(_REPLACE)
        cursor.execute(_STORE)
        cursor.execute(_CONFLICTS)
        for (event_id,) in cursor.fetchall():
            logger.error("usage event %s came again with other figures: the first ones stand", event_id)
        cursor.execute(_NOTE_UNSETTLED)
        cursor.execute(
            "DELETE FROM usage_usageinbox WHERE event_id IN (SELECT id FROM usage_stage) AND kind <> 'finished'"
        )
        cursor.execute("SELECT DISTINCT organization_id FROM usage_stage")
        return Drained(taken, organizations=frozenset(organization_id for (organization_id,) in cursor.fetchall()))


def _drain_singly(limit: int) -> Drained:
    taken = failed = 0
    while taken + failed < limit:
        stored = _drain_one()
        if stored is None:
            break
        taken += stored
        failed += not stored
    return Drained(taken, failed)


def _in_words(exc: Exception) -> str:
    said = str(exc).strip()[:500] or type(exc).__name__
    if "no partition of relation" in said:
        return f"No table takes its month: the time is damaged, or the month's single calls were deleted. {said}"
    return said


_PUT_ASIDE = """
WITH taken AS (DELETE FROM usage_usageinbox WHERE seq = %s RETURNING event_id, payload, received_at)
INSERT INTO usage_deadletter (event_id, kind, payload, reason, received_at)
SELECT event_id, 'unstorable', payload, %s, received_at FROM taken ON CONFLICT DO NOTHING
"""


def _drain_one() -> bool | None:
    """Store one event; False when it can never be stored and was put aside, None when there is none.

    Only what the event itself is to blame for counts against it: a lost connection goes to the caller.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PICK, [1])
        picked = cursor.fetchone()
        if picked is None:
            return None
        try:
            _store(_TAKE.format(pick="SELECT %s::bigint AS seq"), picked[0])
        except (DataError, IntegrityError) as exc:
            reason = _in_words(exc)
            cursor.execute(_PUT_ASIDE, [picked[0], reason])
            logger.error("usage event %s of the inbox was put aside: %s", picked[0], reason)
            return False
    return True
