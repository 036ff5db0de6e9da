"""The rollup can be proved and mended, also while the drain is at work."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, record, store
from tests.usage.rollup import assert_rollup_equals_events, random_events
from usage.ledger import ingest, rebuilding
from usage.models import AIUsage, DroppedMonth, UsageDaily

NOVEMBER = date(2026, 11, 1)
pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rebuild_rollups", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def damage() -> None:
    """A sum too high, one lost, one of calls that never were."""
    first, second, *_ = UsageDaily.objects.order_by("pk")
    first.requests += 7
    first.actual_cost += Decimal("0.5")
    first.save(update_fields=["requests", "actual_cost"])
    second.delete()
    UsageDaily.objects.create(
        organization_id=first.organization_id, day=first.day, operation="none", provider="none", model="none",
        key_owner="customer", requests=3,
    )  # fmt: skip


@pytest.mark.django_db
class TestOnOneConnection:
    @pytest.fixture
    def damaged(self) -> list[Organization]:
        organizations = OrganizationFactory.create_batch(2)
        store(*random_events(organizations, 60, seed=5))
        damage()
        return organizations

    def test_what_differs_is_told_with_amounts(self, damaged: list[Organization]) -> None:
        months, without = rebuilding.provable_months()
        assert without == []
        found = [difference for month in months for difference in rebuilding.differences(month)]
        assert len(found) == 3
        too_high = next(d for d in found if d.missing.get("requests") == -7)
        assert too_high.missing == {"requests": -7, "actual_cost": Decimal("-0.5")}
        assert "requests -7" in str(too_high)

    def test_a_check_writes_nothing_and_fails(self, damaged: list[Organization]) -> None:
        before = list(UsageDaily.objects.order_by("pk").values())
        with pytest.raises(CommandError, match="3 daily sums differ"):
            run("--check")
        assert list(UsageDaily.objects.order_by("pk").values()) == before

    def test_it_comes_out_equal(self, damaged: list[Organization]) -> None:
        assert "3 daily sums mended" in run()
        assert_rollup_equals_events()
        assert not UsageDaily.objects.filter(operation="none").exists()
        assert "every daily sum equals its calls" in run("--check")

    def test_from_nothing(self, damaged: list[Organization]) -> None:
        UsageDaily.objects.all().delete()
        run()
        assert_rollup_equals_events()

    def test_one_organisation_or_one_month(self, damaged: list[Organization]) -> None:
        UsageDaily.objects.all().delete()
        run("--organization", damaged[0].slug, "--month", "2026-11")
        assert set(UsageDaily.objects.values_list("organization_id", flat=True)) == {damaged[0].pk}
        assert {day.month for day in UsageDaily.objects.values_list("day", flat=True)} == {11}
        run("--organization", damaged[1].slug)
        run("--month", "2026-12")
        assert_rollup_equals_events()

    def test_months_whose_calls_are_deleted_keep_their_sums(self, organization: Organization) -> None:
        store(finished(organization, at=AT))
        AIUsage.objects.all().delete()
        DroppedMonth.objects.create(month=NOVEMBER, rows=1)
        before = list(UsageDaily.objects.values())
        assert "Left alone, their single calls being deleted: 2026-11." in run()
        assert "Left alone" in run("--month", "2026-11")
        assert list(UsageDaily.objects.values()) == before

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--organization", "nobody"], "no organisation 'nobody'"),
            (["--month", "1999-01"], "Nothing is stored of 1999-01"),
            (["--month", "November"], "no month"),
        ],
    )
    def test_what_is_not_there_is_told(self, arguments: list[str], said: str) -> None:
        with pytest.raises(CommandError, match=said):
            run(*arguments)

    def test_days_are_utc_at_the_edge_of_a_month(self, organization: Organization) -> None:
        store(
            *(
                finished(organization, at=moment)
                for moment in (
                    datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC),
                    datetime(2026, 12, 1, tzinfo=UTC),
                )
            )
        )
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL TIME ZONE 'Asia/Tokyo'")
            assert rebuilding.differences(NOVEMBER) == []
            assert rebuilding.differences(date(2026, 12, 1)) == []


@pytest.mark.django_db(transaction=True)
def test_beside_running_drains_nothing_is_counted_twice_or_lost() -> None:
    organizations = OrganizationFactory.create_batch(2)
    events = random_events(organizations, 400, seed=11)
    record(*events[:150])
    ingest.drain()
    damage()
    record(*events[150:])
    problems: list[BaseException] = []

    def beside(work: Any) -> None:
        try:
            work()
        except BaseException as exc:
            problems.append(exc)
        finally:
            connections.close_all()

    def drain_all() -> None:
        while ingest.drain(limit=7).taken:
            pass

    def rebuild_often() -> None:
        for _ in range(12):
            for month in rebuilding.provable_months()[0]:
                rebuilding.rebuild(month)

    threads = [
        threading.Thread(target=beside, args=(work,)) for work in (drain_all, drain_all, rebuild_often, rebuild_often)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert AIUsage.objects.count() == 400
    assert_rollup_equals_events()
