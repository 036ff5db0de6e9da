"""Proving that the rollup equals the events, and mending it where it does not.

One statement reads events and rollup in one snapshot and adds the difference. The drain
moves both in one transaction and adds too, so the two never get into each other's way:
whatever is drained meanwhile comes on top.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction

from leadagent.advisory_locks import AdvisoryLock
from usage.ledger.ingest import rollup_select
from usage.ledger.partitions import existing_months
from usage.models import DroppedMonth, UsageDaily
from usage.utc_days import month_after

_KEY = ", ".join(UsageDaily.DIMENSIONS)
_EVENTS = (
    "(SELECT * FROM usage_aiusage WHERE created_at >= %(start)s::date::timestamp AT TIME ZONE 'UTC' "
    "AND created_at < %(end)s::date::timestamp AT TIME ZONE 'UTC' "
    "AND (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)) AS events"
)
_DIFFERENCES = f"""
WITH told AS ({rollup_select(_EVENTS)}), kept AS (
    SELECT * FROM usage_usagedaily WHERE day >= %(start)s AND day < %(end)s
    AND (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
), difference AS (
    SELECT {_KEY}, {", ".join(f"coalesce(told.{m}, 0) - coalesce(kept.{m}, 0) AS {m}" for m in UsageDaily.MEASURES)}
    FROM told FULL JOIN kept USING ({_KEY})
)
SELECT {_KEY}, {", ".join(UsageDaily.MEASURES)} FROM difference
WHERE {" OR ".join(f"{m} <> 0" for m in UsageDaily.MEASURES)} ORDER BY {_KEY}
"""
_MEND = f"""
INSERT INTO usage_usagedaily AS daily ({_KEY}, {", ".join(UsageDaily.MEASURES)}) {_DIFFERENCES}
ON CONFLICT ({_KEY}) DO UPDATE SET {", ".join(f"{m} = daily.{m} + excluded.{m}" for m in UsageDaily.MEASURES)}
"""
# Looked at again by the database where the drain is just adding to it.
_SWEEP = f"""
DELETE FROM usage_usagedaily WHERE day >= %(start)s AND day < %(end)s
AND (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
AND {" AND ".join(f"{m} = 0" for m in UsageDaily.MEASURES)}
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the rollup that is wrong: its key, and by measure what the events say minus what it says."""

    key: dict[str, Any]
    missing: dict[str, Any]

    def __str__(self) -> str:
        named = " ".join(str(value) for value in self.key.values())
        return f"{named}: {', '.join(f'{name} {value:+}' for name, value in self.missing.items())}"


def provable_months() -> tuple[list[date], list[date]]:
    """Months whose events are there, oldest first; and those that have daily sums only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT date_trunc('month', day)::date FROM usage_usagedaily")
        summed = {row[0] for row in cursor.fetchall()}
    there = set(existing_months())
    gone = set(DroppedMonth.objects.values_list("month", flat=True))
    return sorted(there - gone), sorted((summed - there) | (summed & gone))


def differences(month: date, *, organization_id: int | None = None) -> list[Difference]:
    """Where the month's rollup and its events disagree; empty when they are equal."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, _bounds(month, organization_id))
        return list(_read(cursor.fetchall()))


def rebuild(month: date, *, organization_id: int | None = None) -> int:
    """Make the month's rollup equal to its events, beside a running drain. Returns how many rows were wrong."""
    bounds = _bounds(month, organization_id)
    with transaction.atomic(), connection.cursor() as cursor:
        AdvisoryLock.ROLLUP_REBUILD.hold()
        cursor.execute(_MEND, bounds)
        mended: int = cursor.rowcount
        cursor.execute(_SWEEP, bounds)
    return mended


def _bounds(month: date, organization_id: int | None) -> dict[str, Any]:
    return {"start": month, "end": month_after(month), "organization": organization_id}


def _read(rows: Iterable[tuple[Any, ...]]) -> Iterable[Difference]:
    width = len(UsageDaily.DIMENSIONS)
    for row in rows:
        measures = zip(UsageDaily.MEASURES, row[width:], strict=True)
        yield Difference(
            dict(zip(UsageDaily.DIMENSIONS, row[:width], strict=True)),
            {name: value for name, value in measures if value},
        )
