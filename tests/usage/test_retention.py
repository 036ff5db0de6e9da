"""Single calls go when their time is over, whole months at a time; what they summed up to stays."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection
from pytest_django import Settings

from leadagent.tenants.models import AuditEvent, Organization
from tests.usage.factories import finished, record, store
from usage.calls.log import usage_log
from usage.ledger import ingest, retention
from usage.ledger.partitions import ensure_partitions, existing_months
from usage.models import AIUsage, DeadLetter, DroppedMonth, UnsettledCall, UsageDaily

pytestmark = pytest.mark.django_db
MONTHS = [date(2033, month, 1) for month in (1, 2, 3, 4, 5)]
NOW = datetime(2033, 5, 31, 23, 59, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        ensure_partitions(MONTHS)
        yield


@pytest.fixture
def filled(organization: Organization) -> Organization:
    for month in MONTHS:
        at = datetime(month.year, month.month, 15, tzinfo=UTC)
        lost = {"success": False, "estimated_cost": None, "provider_request_id": "gen-1"}
        store(finished(organization, at=at), finished(organization, at=at, **lost))
    return organization


def left() -> list[date]:
    return [month for month in existing_months() if month in MONTHS]


def test_everything_is_kept_unless_the_operator_says_otherwise(filled: Organization, settings: Settings) -> None:
    assert settings.USAGE_RETENTION_MONTHS == 0
    assert retention.drop_expired_months() == []
    assert left() == MONTHS


def test_older_months_go_and_their_sums_stay(
    filled: Organization, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.USAGE_RETENTION_MONTHS = 2
    sums = list(UsageDaily.objects.order_by("pk").values())
    dropped = retention.drop_expired_months()
    assert dropped[-2:] == MONTHS[:2]
    assert left() == MONTHS[2:]
    assert list(UsageDaily.objects.order_by("pk").values()) == sums
    assert {row.created_at.month for row in AIUsage.objects.all()} == {3, 4, 5}
    assert UnsettledCall.objects.count() == 3
    assert list(DroppedMonth.objects.filter(month__in=MONTHS).values_list("month", "rows").order_by("month")) == [
        (MONTHS[0], 2),
        (MONTHS[1], 2),
    ]
    traced = AuditEvent.objects.filter(action="usage.month_dropped", target="2033-02").get()
    assert (traced.organization, traced.actor_label, traced.after) == (None, "system", {"rows": 2})
    assert "2033-02" in caplog.text
    assert retention.drop_expired_months() == [], "once"


def test_the_current_month_is_never_dropped(filled: Organization, settings: Settings) -> None:
    settings.USAGE_RETENTION_MONTHS = 1
    retention.drop_expired_months()
    assert left() == MONTHS[3:]


def test_a_month_that_cannot_be_proved_is_kept(
    filled: Organization, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.USAGE_RETENTION_MONTHS = 3
    UsageDaily.objects.filter(day__month=1).update(requests=99)
    assert MONTHS[0] not in retention.drop_expired_months()
    assert "daily sums differ" in caplog.text


def test_a_month_whose_events_still_wait_is_kept(filled: Organization, settings: Settings) -> None:
    settings.USAGE_RETENTION_MONTHS = 3
    record(finished(filled, at=datetime(2033, 1, 20, tzinfo=UTC)))
    assert MONTHS[0] not in retention.drop_expired_months()
    ingest.drain()
    assert MONTHS[0] in retention.drop_expired_months()


def test_what_comes_after_its_month_is_gone_is_put_aside_and_never_counted_twice(
    filled: Organization, settings: Settings
) -> None:
    settings.USAGE_RETENTION_MONTHS = 3
    doubled = finished(filled, at=datetime(2033, 1, 20, tzinfo=UTC))
    store(doubled)
    retention.drop_expired_months()
    sums = list(UsageDaily.objects.order_by("pk").values())
    fresh = finished(filled, at=NOW)
    record(doubled, fresh)
    assert ingest.drain() == ingest.Drained(taken=1, failed=1)
    assert AIUsage.objects.filter(id=fresh.id).exists()
    letter = DeadLetter.objects.get()
    assert letter.event_id == doubled.id
    assert "single calls were deleted" in letter.reason
    assert list(UsageDaily.objects.filter(day__lt="2033-05-01").order_by("pk").values()) == [
        row for row in sums if row["day"] < date(2033, 5, 1)
    ]


def test_a_page_of_one_month_reads_one_month(filled: Organization) -> None:
    """What the partitions are for: the plan names no other table."""
    rows = AIUsage.objects.filter(
        organization=filled,
        created_at__gte=datetime(2033, 3, 1, tzinfo=UTC),
        created_at__lt=datetime(2033, 4, 1, tzinfo=UTC),
    )
    plan = rows.explain()
    assert "usage_aiusage_2033_03" in plan
    assert [f"2033_{month:02}" for month in (1, 2, 4, 5) if f"usage_aiusage_2033_{month:02}" in plan] == []


def test_the_log_from_a_place_on_reads_nothing_younger(filled: Organization) -> None:
    cursor = "2033-02-20T00:00:00Z_0190a1b2-0000-7000-8000-000000000000"
    with connection.execute_wrapper(_explaining):
        _plans.clear()
        page = usage_log(filled, cursor=cursor)
    assert [row.created_at.month for row in page.rows] == [2, 2, 1, 1]
    assert "usage_aiusage_2033_02" in _plans[0]
    assert "usage_aiusage_2033_03" not in _plans[0]


_plans: list[str] = []


def _explaining(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
    with connection.connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        _plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return execute(sql, params, many, context)
