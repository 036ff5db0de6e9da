"""Deleting single calls whose time is over, a month at a time. Their daily sums stay.

Off unless `USAGE_RETENTION_MONTHS` is set. Before a month goes, its sums are proved: what
is deleted can never be counted again.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

from django.conf import settings
from django.db import OperationalError, connection, transaction

from leadagent.tenants import audit
from usage.ledger.partitions import existing_months, partition_of
from usage.ledger.rebuilding import differences
from usage.models import DroppedMonth, UnsettledCall
from usage.utc_days import current_day, month_after

logger = logging.getLogger(__name__)


def expired_months() -> list[date]:
    """Months older than `USAGE_RETENTION_MONTHS` whole months before the current one, oldest first."""
    keep: int = settings.USAGE_RETENTION_MONTHS
    if keep < 1:
        return []
    today = current_day()
    first = today.year * 12 + today.month - 1 - keep
    kept_from = date(first // 12, first % 12 + 1, 1)
    return [month for month in existing_months() if month < kept_from]


def drop_expired_months() -> list[date]:
    """Delete the single calls of expired months; returns which. What cannot go now goes the next time."""
    return [month for month in expired_months() if _drop(month)]


def _drop(month: date) -> bool:
    if _events_wait(month):
        logger.warning("usage of %s is kept for now: events of that month wait in the inbox", f"{month:%Y-%m}")
        return False
    if wrong := differences(month):
        logger.error(
            "usage of %s is kept: %d daily sums differ from its events (manage.py rebuild_rollups mends them)",
            f"{month:%Y-%m}",
            len(wrong),
        )
        return False
    partition = partition_of(month)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Pages and the drain wait for this statement, so it does not wait for them.
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute(f"SELECT count(*) FROM {partition}")
            (rows,) = cursor.fetchone()
            cursor.execute(f"ALTER TABLE usage_aiusage DETACH PARTITION {partition}")
            cursor.execute(f"SELECT count(*) FROM {partition}")
            if cursor.fetchone() != (rows,):
                transaction.set_rollback(True)
                return False
            cursor.execute(f"DROP TABLE {partition}")
            DroppedMonth.objects.create(month=month, rows=rows)
            UnsettledCall.objects.filter(
                usage_created_at__gte=_midnight(month), usage_created_at__lt=_midnight(month_after(month))
            ).delete()
            audit.record("usage.month_dropped", organization=None, target=f"{month:%Y-%m}", after={"rows": rows})
    except OperationalError as exc:
        logger.warning("usage of %s is kept for now: %s", f"{month:%Y-%m}", str(exc).strip())
        return False
    logger.warning("the %d single calls of %s were deleted; their daily sums stay", rows, f"{month:%Y-%m}")
    return True


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _events_wait(month: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM usage_usageinbox WHERE kind <> 'answered' "
            "AND starts_with(payload->>'created_at', %s))",
            [f"{month:%Y-%m}-"],
        )
        (waits,) = cursor.fetchone()
    return bool(waits)
