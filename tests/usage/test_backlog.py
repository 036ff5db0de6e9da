"""What waits is told: on /readyz to everybody who runs the product, on /metrics to who brings the token."""

from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from leadagent.asking import Question
from leadagent.tenants.models import Organization
from tests.usage.factories import finished, record, started
from tests.usage.one_connection import put_postgresql_away
from usage import tasks
from usage.ledger import backlog
from usage.models import DeadLetter, UsageInbox

pytestmark = pytest.mark.django_db
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def asked_on_this_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread would not see the rows of a test's transaction."""

    def put(question: Question[Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(question._ask())
        return answer

    monkeypatch.setattr(Question, "put", put)


def ready() -> dict[str, Any]:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    return dict(answer.json()["usage"])


def figures(settings: Settings) -> dict[str, int]:
    settings.METRICS_TOKEN = TOKEN
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    prefix = "leadagent_usage_"
    lines = [line.split() for line in answer.text.splitlines() if line.startswith(prefix)]
    return {name.removeprefix(prefix): int(value) for name, value in lines}


def test_nothing_waits(settings: Settings) -> None:
    assert ready() == {
        "state": "ok",
        "worker": "not seen",
        "backlog_seconds": 0,
        "put_aside": 0,
        "spool_bytes": 0,
        "spool_seconds": 0,
        "held_events": 0,
    }
    told = figures(settings)
    assert told.pop("database_up") == 1
    assert set(told.values()) == {0}
    assert "drained_seconds" not in told


def test_a_backlog_is_told_with_its_age(organization: Organization, settings: Settings) -> None:
    record(started(organization), finished(organization), finished(organization))
    UsageInbox.objects.update(received_at=timezone.now() - timedelta(seconds=90))
    told = ready()
    assert told["state"] == "late"
    assert 90 <= told["backlog_seconds"] < 100
    measured = figures(settings)
    assert (measured["backlog_events"], measured["open_calls"]) == (2, 1)
    assert 90 <= measured["backlog_seconds"] < 100


def test_a_worker_that_stopped_is_told_even_while_nothing_waits(settings: Settings) -> None:
    tasks.drain_inbox()
    assert ready()["worker"] == "ok"
    assert figures(settings)["drained_seconds"] < 5
    cache.set(backlog._DRAINED_AT, cache.get(backlog._DRAINED_AT) - 120)
    assert (ready()["worker"], ready()["state"]) == ("stalled", "late")
    assert figures(settings)["drained_seconds"] >= 120


def test_what_waits_on_the_disk_is_told(
    organization: Organization, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_postgresql_away(monkeypatch)
    record(finished(organization, at=timezone.now() - timedelta(minutes=5)))
    told = ready()
    assert told["state"] == "late"
    assert told["spool_bytes"] > 100
    assert 300 <= told["spool_seconds"] < 320
    assert figures(settings)["spool_bytes"] == told["spool_bytes"]


def test_events_that_were_put_aside_are_counted_by_kind(organization: Organization, settings: Settings) -> None:
    event = finished(organization)
    for kind in ("unstorable", "conflict", "conflict"):
        DeadLetter.objects.create(
            event_id=event.id, kind=kind, payload=[DeadLetter.objects.count()], reason="", received_at=timezone.now()
        )
    assert ready()["put_aside"] == 3
    told = figures(settings)
    assert (told["unstorable_events"], told["conflicting_events"]) == (1, 2)


def test_the_disk_is_told_while_postgresql_is_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError

    for module in ("leadagent.metrics", "leadagent.readiness"):
        monkeypatch.setattr(f"{module}.backlog", away)
    assert figures(settings) == {
        "database_up": 0,
        "spool_bytes": 0,
        "spool_seconds": 0,
        "spool_rejected_bytes": 0,
        "held_events": 0,
    }
    assert ready()["state"] == "unknown"


@pytest.mark.parametrize("header", ["", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN])
def test_metrics_are_for_the_operator(settings: Settings, header: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert Client().get("/metrics", headers={"Authorization": header}).status_code == 404


def test_metrics_are_closed_while_no_token_is_set(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    for header in ("", "Bearer ", "Bearer x"):
        assert Client().get("/metrics", headers={"Authorization": header}).status_code == 404
