from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection, connections

from usage.ledger.partitions import ensure_partitions, months_ahead
from usage.tasks import prepare_partitions
from usage.utc_days import month_after


def existing() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_aiusage'::regclass")
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.parametrize(
    ("month", "following"),
    [
        (date(2026, 11, 1), date(2026, 12, 1)),
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2028, 1, 31), date(2028, 2, 1)),
    ],
)
def test_the_month_after(month: date, following: date) -> None:
    assert month_after(month) == following


@time_machine.travel(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), tick=False)
def test_months_ahead_cross_the_year() -> None:
    assert months_ahead(2) == [date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]


@pytest.mark.django_db
def test_the_coming_months_are_ready_and_asking_twice_is_harmless() -> None:
    with time_machine.travel(datetime(2040, 5, 1, tzinfo=UTC), tick=False):
        prepare_partitions()
        prepare_partitions()
    assert {f"usage_aiusage_2040_{month:02}" for month in (5, 6, 7, 8)} <= existing()


@pytest.mark.django_db(transaction=True)
def test_two_processes_may_want_the_same_month() -> None:
    def want(_: int) -> None:
        try:
            ensure_partitions([date(2041, 1, 1), date(2041, 2, 1)])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(want, range(4)))
    wanted = {"usage_aiusage_2041_01", "usage_aiusage_2041_02"}
    assert wanted <= existing()
    with connection.cursor() as cursor:
        for name in wanted:
            cursor.execute(f"DROP TABLE {name}")
