"""Which key was used how often: one row and one audit event per key and day, whatever runs twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connections
from uuid6 import uuid7

from byok import tasks
from byok.keys.use import note_key_use, note_recent_key_use
from byok.models import KeyUseDay
from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import OrganizationFactory
from usage.ledger.partitions import ensure_partitions
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 10)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
KEY_A, KEY_B = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def partitions(db: None) -> None:
    ensure_partitions([date(2026, 10, 1), date(2026, 11, 1)])


def used(
    organization: Organization,
    credential: UUID | None = KEY_A,
    *,
    at: datetime = NOON,
    operation: str = "research",
    times: int = 1,
    **more: Any,
) -> None:
    for _ in range(times):
        AIUsage.objects.create(
            id=UUID(int=uuid7().int),
            created_at=at,
            organization=organization,
            credential_id=credential,
            **{"operation": operation, "provider": "openai", "model": "m", "key_owner": "customer", "success": True}
            | more,
        )


def listed() -> list[tuple[Any, ...]]:
    return list(
        KeyUseDay.objects.order_by("day", "credential_id").values_list(
            "organization_id", "credential_id", "provider", "day", "calls", "operations"
        )
    )


def test_calls_are_counted_by_key_and_operation(organization: Organization) -> None:
    other = OrganizationFactory()
    used(organization, times=2)
    used(organization, operation="qualification", success=False, error_code="invalid_key")
    used(organization, KEY_B, provider="openrouter", times=3)
    used(other, UUID(int=3), provider="anthropic")
    # The platform's key is not a tenant's.
    used(organization, None, key_owner="platform")
    assert note_key_use(DAY) == 3
    assert listed() == [
        (organization.pk, KEY_A, "openai", DAY, 3, {"research": 2, "qualification": 1}),
        (organization.pk, KEY_B, "openrouter", DAY, 3, {"research": 3}),
        (other.pk, UUID(int=3), "anthropic", DAY, 1, {"research": 1}),
    ]
    events = AuditEvent.objects.filter(action="key.used", organization=organization).order_by("pk")
    assert [(event.target, event.actor_label) for event in events] == [("openai", "system"), ("openrouter", "system")]
    assert events[0].after == {
        "credential_id": str(KEY_A),
        "day": "2026-11-10",
        "calls": 3,
        "operations": {"research": 2, "qualification": 1},
    }


def test_a_day_is_half_open_and_utc(organization: Organization) -> None:
    midnight = datetime(2026, 11, 10, tzinfo=UTC)
    for at in (midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=1)):
        used(organization, at=at)
    used(organization, at=midnight + timedelta(days=1) - timedelta(microseconds=1))
    note_key_use(DAY)
    assert [row[4] for row in listed()] == [2]


def test_a_day_is_written_once(organization: Organization) -> None:
    used(organization)
    assert note_key_use(DAY) == 1
    used(organization, times=5)
    used(organization, KEY_B)
    # A key that came late still gets its row; one that has a row keeps it.
    assert note_key_use(DAY) == 1
    assert [(row[1], row[4]) for row in listed()] == [(KEY_A, 1), (KEY_B, 1)]
    assert note_key_use(DAY) == 0
    assert AuditEvent.objects.filter(action="key.used").count() == 2


def test_usage_outlives_its_organisation_and_the_listing_does_not(organization: Organization) -> None:
    gone = OrganizationFactory()
    used(gone)
    used(organization, KEY_B)
    gone.delete()
    assert note_key_use(DAY) == 1
    assert [row[0] for row in listed()] == [organization.pk]


def test_the_trace_outlives_the_key(organization: Organization) -> None:
    used(organization, UUID(int=99))
    assert note_key_use(DAY) == 1


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-11T01:59:59+00:00", []),
        ("2026-11-11T02:00:00+00:00", [9, 10]),
        ("2026-11-11T23:00:00+00:00", [9, 10]),
        ("2026-11-12T02:30:00+00:00", [10, 11]),
        # 02:30 in Berlin is still too early in UTC.
        ("2026-11-11T02:30:00+01:00", []),
    ],
)
def test_the_latest_complete_days(organization: Organization, now: str, days: list[int]) -> None:
    for day in (8, 9, 10, 11):
        used(organization, UUID(int=day), at=datetime(2026, 11, day, 12, tzinfo=UTC))
    assert note_recent_key_use(datetime.fromisoformat(now)) == len(days)
    assert [row[3].day for row in listed()] == days


def test_a_written_day_is_counted_again_in_one_hour_only(organization: Organization) -> None:
    used(organization)
    assert note_recent_key_use(datetime(2026, 11, 11, 2, 10, tzinfo=UTC)) == 1
    used(organization, KEY_B)
    assert note_recent_key_use(datetime(2026, 11, 11, 5, tzinfo=UTC)) == 0
    assert note_recent_key_use(datetime(2026, 11, 12, 2, tzinfo=UTC)) == 1


def test_the_task_does_yesterday(organization: Organization) -> None:
    used(organization)
    with time_machine.travel(datetime(2026, 11, 11, 9, tzinfo=UTC), tick=False):
        tasks.note_key_use()
    assert [row[3] for row in listed()] == [DAY]


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_write_once(organization: Organization) -> None:
    for number in range(1, 11):
        used(organization, UUID(int=number))

    def beat(_: int) -> int:
        try:
            return note_key_use(DAY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(beat, range(4))) == 10
    assert KeyUseDay.objects.count() == AuditEvent.objects.filter(action="key.used").count() == 10
