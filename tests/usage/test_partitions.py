from datetime import UTC, date, datetime
from functools import partial

import pytest
import time_machine
from django.db import connection

from tests.at_once import at_once
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
    ends = at_once(*[partial(ensure_partitions, [date(2041, 1, 1), date(2041, 2, 1)])] * 4)
    assert not [end for end in ends if isinstance(end, Exception)]
    wanted = {"usage_aiusage_2041_01", "usage_aiusage_2041_02"}
    assert wanted <= existing()
    with connection.cursor() as cursor:
        for name in wanted:
            cursor.execute(f"DROP TABLE {name}")
