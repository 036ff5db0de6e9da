"""/readyz says what is true, and says it in time."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from leadagent import readiness, stopping
from leadagent.asking import Question
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from usage.ledger.backlog import Backlog

PARTS = ("database", "broker", "migrations", "secret")


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_migrations_seen_at", "_secret_seen_at"):
        monkeypatch.setattr(readiness, name, float("-inf"))
    # A question of an earlier test must not answer for this one.
    monkeypatch.setattr(readiness, "_DATABASE", Question(readiness._ask_database))
    monkeypatch.setattr(readiness, "_BROKER", Question(readiness._ask_broker))


def ask() -> tuple[int, dict[str, Any], float]:
    began = time.monotonic()
    answer = Client().get("/readyz")
    return answer.status_code, answer.json(), time.monotonic() - began


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that lets everybody in and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.mark.django_db
def test_all_is_well() -> None:
    status, told, _ = ask()
    assert (status, told["status"]) == (200, "ready")
    assert [told[part] for part in PARTS] == ["ok"] * 4
    assert Client().get("/readyz").headers["Cache-Control"] == "no-store"


# --- Servers that hang --------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.network_loopback
def test_a_postgresql_that_hangs_is_told_in_time(monkeypatch: pytest.MonkeyPatch, black_hole: int) -> None:
    changed = {"HOST": "127.0.0.1", "PORT": str(black_hole)}
    monkeypatch.setitem(connections.settings, "default", connections.settings["default"] | changed)
    status, told, seconds = ask()
    assert (status, told["status"]) == (503, "not ready")
    assert [told[part] for part in PARTS] == ["timeout", "ok", "unknown", "unknown"]
    assert told["usage"]["state"] == "unknown"
    assert seconds < readiness.ANSWER_SECONDS + 1


@pytest.mark.django_db
@pytest.mark.network_loopback
def test_a_redis_that_hangs_is_told_in_time(settings: Settings, black_hole: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{black_hole}/0"
    status, told, seconds = ask()
    assert status == 503
    assert told["broker"] in {"timeout", "failed"}
    assert [told[part] for part in ("database", "migrations", "secret")] == ["ok"] * 3
    assert seconds < readiness.ANSWER_SECONDS + 1


def test_many_who_ask_a_server_that_hangs_share_one_thread() -> None:
    release, asked = threading.Event(), []

    def hang() -> str:
        asked.append(threading.current_thread())
        release.wait(10)
        return "at last"

    question = Question(hang)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            question.put().result(0.01)
    assert len(asked) == 1
    release.set()
    assert question.put().result(5) == "at last"
    asked[0].join(5)
    assert question.put().result(5) == "at last"
    assert len(asked) == 2


def test_a_question_that_fails_is_asked_again() -> None:
    answers = iter(["", "yes"])

    def ask_once() -> str:
        answer = next(answers)
        if not answer:
            raise ValueError("no")
        return answer

    question = Question(ask_once)
    with pytest.raises(ValueError, match="no"):
        question.put().result(5)
    assert question.put().result(5) == "yes"


# --- Migrations and secret ----------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_code_that_is_ahead_of_its_database_is_not_ready() -> None:
    row = "app = 'usage' AND name = '0009_failed_days'"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE django_migrations SET app = 'usage-hidden' WHERE {row}")
        assert cursor.rowcount == 1
        try:
            status, told, _ = ask()
        finally:
            cursor.execute("UPDATE django_migrations SET app = 'usage' WHERE app = 'usage-hidden'")
    assert (status, told["migrations"], told["secret"]) == (503, "pending", "unknown")
    assert ask()[0] == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_ahead_of_the_code_is_in_order() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('usage', '9999_of_tomorrow', now())")
        try:
            assert ask()[0] == 200
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_of_tomorrow'")


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory(slug="acme")


def stored_key(organization: Organization, key_id: str) -> None:
    from byok.models import ProviderCredential

    ProviderCredential.objects.create(
        id=uuid4(), organization=organization, provider="openai" if key_id[0] == "0" else "anthropic",
        sealed_key=f"v1:{key_id}:bm9uY2U:Y2lwaGVydGV4dA", last4="test", fingerprint=key_id,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_secret_that_opens_nothing_makes_unready_and_one_that_opens_something_is_told(
    organization: Organization,
) -> None:
    from byok.encryption import current_key_id

    stored_key(organization, "00000000")
    assert ask()[:2] == (503, ask()[1] | {"status": "not ready", "secret": "unusable"})
    stored_key(OrganizationFactory(), current_key_id())
    status, told, _ = ask()
    assert (status, told["status"], told["secret"]) == (200, "ready", "incomplete")


# --- What only is told, and the order to stop ---------------------------------------


@pytest.mark.django_db
def test_a_worker_that_stalls_takes_no_web_process_out(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Backlog(
        seconds=900, events=5, open_calls=0, unsettled_calls=0, unstorable=0, conflicts=0, drained_seconds=900
    )
    monkeypatch.setattr(readiness, "backlog", lambda: late)
    status, told, _ = ask()
    assert (status, told["status"]) == (200, "ready")
    assert (told["usage"]["state"], told["usage"]["worker"], told["usage"]["backlog_seconds"]) == (
        "late",
        "stalled",
        900,
    )


@pytest.mark.django_db
def test_whoever_was_told_to_stop_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_worker_stops", lambda: True)
    status, told, _ = ask()
    assert (status, told["status"]) == (503, "stopping")
    assert [told[part] for part in PARTS] == ["ok"] * 4
    assert Client().get("/healthz").status_code == 200
