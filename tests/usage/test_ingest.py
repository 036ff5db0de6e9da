"""The drain: each event exactly once, whatever comes twice, late, damaged or side by side."""

import json
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, record, started, store
from tests.usage.rollup import assert_rollup_equals_events, random_events
from usage.ledger import ingest, reconciling
from usage.models import AIUsage, DeadLetter, UnsettledCall, UsageDaily, UsageInbox
from usage.tasks import drain_inbox, reconcile

pytestmark = pytest.mark.django_db


def test_an_event_becomes_a_row_with_everything_it_said(organization: Organization) -> None:
    event = finished(
        organization, cached_input_tokens=3, cache_write_tokens=2, reasoning_tokens=4, actual_cost=Decimal("0.5")
    )
    record(started(organization, id=event.id))
    (row,) = store(event)
    for name in event.__dataclass_fields__:
        assert getattr(row, name) == getattr(event, name), name
    assert row.created_at == AT
    # 10 uncached + 3 read + 2 written + 5 output; reasoning is a part of output.
    assert row.total_tokens == 20
    assert not UsageInbox.objects.exists()


def test_an_event_that_comes_twice_counts_once(organization: Organization, caplog: pytest.LogCaptureFixture) -> None:
    event = finished(organization)
    store(event, event)
    store(event)
    assert AIUsage.objects.count() == 1
    assert UsageDaily.objects.get().requests == 1
    assert not UsageInbox.objects.exists()
    assert not [entry for entry in caplog.records if entry.levelno >= logging.ERROR]


@pytest.mark.parametrize("same_batch", [True, False])
def test_other_figures_under_the_same_id_are_a_loud_conflict(
    organization: Organization, caplog: pytest.LogCaptureFixture, same_batch: bool
) -> None:
    first = finished(organization, output_tokens=5)
    second = replace(first, output_tokens=500)
    (row,) = store(first, second) if same_batch else (store(first), store(second))[1]
    assert row.output_tokens == 5
    assert str(first.id) in caplog.text
    assert "other figures" in caplog.text
    letter = DeadLetter.objects.get()
    assert (letter.event_id, letter.kind) == (first.id, "conflict")
    assert letter.reason == "The first figures stand: output_tokens 5, now 500; total_tokens 15, now 510"
    assert letter.payload["output_tokens"] == 500
    assert_rollup_equals_events()
    store(second, second)
    assert DeadLetter.objects.count() == 1, "however often it comes"


def test_a_cost_with_more_digits_than_the_column_is_no_conflict(
    organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenRouter's JSON floats carry up to 17 digits."""
    (row,) = store(finished(organization, actual_cost=Decimal("0.00012345678901234567")))
    assert row.actual_cost == Decimal("0.000123456789")
    assert caplog.text == ""
    assert_rollup_equals_events()


@pytest.mark.parametrize(
    "damage",
    [
        {"created_at": "not a time"},
        {"created_at": "infinity"},
        {"created_at": "9999-12-31T00:00:00+00:00"},
        {"created_at": None},
        {"model": None},
        {"operation": "x" * 41},
        {"input_tokens": "many"},
        {"output_tokens": 10**30},
        {"actual_cost": "1e12"},
        {"success": None},
    ],
    ids=str,
)
def test_an_event_that_cannot_be_stored_is_put_aside(organization: Organization, damage: dict[str, Any]) -> None:
    good = [finished(organization) for _ in range(4)]
    record(*good[:2])
    bad = finished(organization)
    UsageInbox.objects.create(event_id=bad.id, kind="finished", payload=bad.payload() | damage)
    record(*good[2:])
    drained = ingest.drain()
    assert (drained.taken, drained.failed) == (4, 1)
    assert {row.id for row in AIUsage.objects.all()} == {event.id for event in good}
    assert not UsageInbox.objects.exists()
    aside = DeadLetter.objects.get()
    assert (aside.event_id, aside.kind, aside.payload) == (bad.id, "unstorable", bad.payload() | damage)
    assert aside.reason
    assert ingest.drain() == ingest.Drained(taken=0)
    assert_rollup_equals_events()


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["nul", "lone surrogate"])
def test_text_that_postgresql_cannot_hold_does_not_stop_the_event(organization: Organization, text: str) -> None:
    """A provider's words and a caller's model name may hold anything."""
    (row,) = store(finished(organization, error_message=text, model=text, provider_request_id=text))
    assert row.error_message[0] == "a"
    assert row.error_message[-1] == "b"


def test_a_lost_end_is_unconfirmed_and_its_truth_may_come_late(organization: Organization) -> None:
    event = finished(organization)
    record(started(organization, id=event.id))
    reconcile()
    assert not AIUsage.objects.exists(), "a call may take its time"

    UsageInbox.objects.update(received_at=timezone.now() - reconciling.UNRECONCILED_AFTER - timedelta(seconds=1))
    reconcile()
    row = AIUsage.objects.get()
    assert (row.state, row.success, row.cost, row.error_code) == ("unreconciled", False, None, "unreconciled")
    assert UsageDaily.objects.get().unpriced_requests == 1
    reconcile()
    assert AIUsage.objects.count() == 1

    store(event)
    row = AIUsage.objects.get()
    assert (row.state, row.success, row.cost) == ("final", True, Decimal("0.0001"))
    assert_rollup_equals_events()


@pytest.mark.parametrize("truth_first", [True, False])
def test_the_truth_stands_whatever_comes_with_it(
    organization: Organization, truth_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Given up and told late, in one batch."""
    event = finished(organization)
    given_up = replace(event, state="unreconciled", success=False, estimated_cost=None, output_tokens=0)
    (row,) = store(event, given_up) if truth_first else store(given_up, event)
    assert row.state == "final"
    assert caplog.text == ""
    store(given_up)
    assert AIUsage.objects.get().state == "final"
    assert_rollup_equals_events()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rollup_equals_the_events(seed: int) -> None:
    organizations = OrganizationFactory.create_batch(3)
    events = random_events(organizations, 120, seed=seed)
    record(*events, *random.Random(seed).sample(events, 30))
    while ingest.drain(limit=37).taken:
        pass
    assert AIUsage.objects.count() == 120
    assert_rollup_equals_events()


def test_late_and_early_events_find_their_month(organization: Organization) -> None:
    moments = [datetime(2021, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC), datetime(2031, 2, 1, tzinfo=UTC)]
    store(*(finished(organization, at=moment) for moment in moments))
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM usage_aiusage ORDER BY created_at")
        assert [row[0] for row in cursor.fetchall()] == ["usage_aiusage_2021_03", "usage_aiusage_2031_02"]


def test_days_and_months_are_utc(organization: Organization) -> None:
    """Whatever the session's own time zone says."""
    boundary = datetime(2026, 12, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'America/Los_Angeles'")
    store(finished(organization, at=boundary - timedelta(milliseconds=1)), finished(organization, at=boundary))
    days = UsageDaily.objects.order_by("day").values_list("day", "requests")
    assert [(f"{day}", requests) for day, requests in days] == [("2026-11-30", 1), ("2026-12-01", 1)]


def test_more_than_one_batch_is_drained_in_one_task(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BATCH", 3)
    monkeypatch.setattr(ingest.drain, "__defaults__", (3,))
    record(*(finished(organization) for _ in range(10)))
    drain_inbox()
    assert AIUsage.objects.count() == 10


def test_a_batch_is_never_larger_than_its_limit_whatever_the_planner_does(organization: Organization) -> None:
    """A plan that asks again for the rows to lock would lock, and take, further ones each time."""
    record(*(finished(organization) for _ in range(6)))
    with connection.cursor() as cursor:
        for name in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "bitmapscan", "indexscan"):
            cursor.execute(f"SET LOCAL enable_{name} = off")
    assert ingest.drain(limit=1).taken == 1
    assert AIUsage.objects.count() == 1


def test_the_payload_is_plain_json(organization: Organization) -> None:
    event = finished(organization, actual_cost=Decimal("0.000000000001"))
    payload = json.loads(json.dumps(event.payload()))
    assert payload["actual_cost"] == "1E-12" or Decimal(payload["actual_cost"]) == Decimal("0.000000000001")
    assert payload["id"] == str(event.id)


def _in_threads(work: list[Callable[[], object]]) -> None:
    failures: list[BaseException] = []

    def run(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as exc:
            failures.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.django_db(transaction=True)
def test_two_drainers_side_by_side_count_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    organizations = OrganizationFactory.create_batch(2)
    events = random_events(organizations, 200, seed=7)
    record(*events, *events[::3])

    def drain_all() -> None:
        while ingest.drain(limit=20).taken:
            pass

    _in_threads([drain_all, drain_all, drain_all])
    drain_all()
    assert AIUsage.objects.count() == 200
    assert not UsageInbox.objects.exists()
    assert_rollup_equals_events()


def test_a_lost_connection_puts_no_event_aside(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what an event itself is to blame for counts against it."""
    record(finished(organization, error_code="x" * 50))

    def lost(take: str, value: int) -> int:
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(ingest, "_store", lost)
    with pytest.raises(OperationalError):
        ingest.drain()
    assert UsageInbox.objects.count() == 1
    assert not DeadLetter.objects.exists()


def test_an_end_that_cannot_be_stored_leaves_its_call_as_unconfirmed(organization: Organization) -> None:
    """The call was made: it is shown, whatever became of its figures."""
    event = finished(organization, error_code="x" * 50)
    record(started(organization, id=event.id), event)
    ingest.drain()
    UsageInbox.objects.filter(kind="started").update(received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert reconciling.reconcile() == 1
    ingest.drain()
    assert AIUsage.objects.get().state == "unreconciled"


def test_the_name_that_the_provider_gave_stays_with_a_call_that_was_cut_off(organization: Organization) -> None:
    event = finished(organization)
    record(started(organization, id=event.id))
    UsageInbox.objects.create(event_id=event.id, kind="answered", payload={"provider_request_id": "gen-1"})
    UsageInbox.objects.update(received_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert reconciling.reconcile() == 1
    assert ingest.drain().taken == 1
    row = AIUsage.objects.get()
    assert (row.state, row.provider_request_id, row.cost) == ("unreconciled", "gen-1", None)
    assert not UsageInbox.objects.exists()


def test_a_name_that_came_after_the_end_is_swept(organization: Organization) -> None:
    event = finished(organization)
    store(event)
    UsageInbox.objects.create(event_id=event.id, kind="answered", payload={"provider_request_id": "gen-1"})
    assert reconciling.reconcile() == 0
    assert UsageInbox.objects.count() == 1, "its end may still come"
    UsageInbox.objects.update(received_at=datetime(2026, 1, 1, tzinfo=UTC))
    reconciling.reconcile()
    assert not UsageInbox.objects.exists()


def test_a_start_that_its_end_has_overtaken_is_swept(organization: Organization) -> None:
    event = finished(organization)
    store(event)
    record(started(organization, id=event.id), started(organization))
    damaged = UsageInbox.objects.latest("seq")
    damaged.payload["created_at"] = "yesterday"
    damaged.save(update_fields=["payload"])
    assert reconciling.reconcile() == 0
    assert UsageInbox.objects.get() == damaged
    assert AIUsage.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"success": False, "error_code": "stream_cut"}, True),
        ({"success": False, "error_code": "timeout", "http_status": None}, True),
        ({"success": False, "error_code": "stream_cut", "provider_request_id": ""}, False),
        # Refused, or known: nothing to ask.
        ({"success": False, "estimated_cost": Decimal(0), "http_status": 429}, False),
        ({"success": False, "actual_cost": Decimal("0.1")}, False),
        # Whole, with a model whose price is not known: the provider said all it says.
        ({"success": True}, False),
    ],
    ids=str,
)
def test_what_was_lost_on_the_way_back_is_noted_to_be_asked_for(
    organization: Organization, fields: dict[str, Any], is_asked: bool
) -> None:
    store(finished(organization, **{"provider_request_id": "gen-1", "estimated_cost": None} | fields))
    noted = list(UnsettledCall.objects.values_list("usage_id", "provider_request_id", "organization_id"))
    assert noted == ([(AIUsage.objects.get().id, "gen-1", organization.pk)] if is_asked else [])
