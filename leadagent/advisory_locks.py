"""The locks by which processes wait for one another in PostgreSQL, each with a number of its own."""

from __future__ import annotations

from enum import IntEnum, unique

from django.db import connection


@unique
class AdvisoryLock(IntEnum):
    """Any numbers, the same in every process of every version."""

    # Two processes must not make one partition at once.
    PARTITIONS = 7_215_001
    # Two rebuilds at once would both add the same difference.
    ROLLUP_REBUILD = 7_215_002
    # Two syncs of the catalog would both note the same changes.
    CATALOG = 7_215_003
    # One export is written at a time.
    EXPORTS = 7_215_004

    def hold(self) -> None:
        """Wait until nobody else holds it, and hold it to the end of the current transaction."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [self.value])
