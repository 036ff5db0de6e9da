"""Monthly partitions of AIUsage, made ahead of time."""

from collections.abc import Iterable
from datetime import date

from django.db import connection, transaction

from leadagent.advisory_locks import AdvisoryLock
from usage.utc_days import first_of_month, month_after


def months_ahead(count: int) -> list[date]:
    """The current UTC month and the `count` that follow."""
    months = [first_of_month()]
    for _ in range(count):
        months.append(month_after(months[-1]))
    return months


def partition_of(month: date) -> str:
    """The name of a month's table; made of numbers only."""
    return f"usage_aiusage_{month:%Y_%m}"


def existing_months() -> list[date]:
    """The months that have a table, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_date(right(relname, 7), 'YYYY_MM') FROM pg_inherits JOIN pg_class ON oid = inhrelid "
            "WHERE inhparent = 'usage_aiusage'::regclass ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def ensure_partitions(months: Iterable[date]) -> None:
    """Create the partitions of these months where they are missing. Months are UTC and half-open."""
    wanted = {partition_of(month): month.replace(day=1) for month in months}
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [list(wanted)])
        missing = wanted.keys() - {row[0] for row in cursor.fetchall()}
    if not missing:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        AdvisoryLock.PARTITIONS.hold()
        for name in sorted(missing):
            month = wanted[name]
            # Names and bounds are made of numbers only; DDL takes no parameters.
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF usage_aiusage "
                f"FOR VALUES FROM ('{month:%Y-%m-%d} 00:00+00') TO ('{month_after(month):%Y-%m-%d} 00:00+00')"
            )
