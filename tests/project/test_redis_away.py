"""The product without Redis: nobody gets an error page for it, and a cache that is back counts again."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCacheClient
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from leadagent import cache as cache_module
from leadagent.celery import app
from leadagent.leads.inbox.rate_limit import is_too_often
from leadagent.leads.models import Document, DraftStatus, EmailDraft, Lead, RunStatus
from leadagent.tenants.models import ApiToken, Membership, Role, Scope
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import fields
from tests.factories import PASSWORD, MembershipFactory
from tests.leads.factories import draft_under_review

pytestmark = [pytest.mark.django_db, pytest.mark.network_loopback]

LEAD = {"name": "Ann Gear", "email": "ann@gears.example", "company": "", "phone": "", "message": "400 licences."}
# A person waits for this; the first question to a Redis that is away included.
SECONDS = 3.0


@pytest.fixture
def dead_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Cache, broker and readiness look for Redis at a port where nobody listens; its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    settings.REDIS_URL = address
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": address}}
    monkeypatch.setattr(app.conf, "broker_write_url", address)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    return address


@pytest.fixture
def admin(db: None) -> Membership:
    return MembershipFactory(organization__slug="acme", user__email="admin@acme.test", role=Role.ADMIN)


@pytest.fixture
def person(admin: Membership) -> Client:
    client = Client()
    client.force_login(admin.user)
    return client


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5 * SECONDS


# --- What people do -----------------------------------------------------------------


@pytest.mark.usefixtures("dead_redis")
class TestPeople:
    def test_signing_in_and_out(self, admin: Membership) -> None:
        client = Client()
        wrong = client.post(reverse("account_login"), {"login": "admin@acme.test", "password": "wrong"})
        assert (wrong.status_code, wrong.context["form"].is_valid()) == (200, False)

        began = time.monotonic()
        right = client.post(reverse("account_login"), {"login": "admin@acme.test", "password": PASSWORD})
        assert time.monotonic() - began < SECONDS
        assert right.headers["Location"] == reverse("home")
        assert client.get("/o/acme/leads/").status_code == 200
        assert client.post(reverse("account_logout")).status_code == 302

    def test_signing_in_with_a_second_factor(self, admin: Membership) -> None:
        secret = generate_totp_secret()
        TOTP.activate(admin.user, secret)
        client = Client()
        client.post(reverse("account_login"), {"login": "admin@acme.test", "password": PASSWORD})
        code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
        answer = client.post(reverse("mfa_authenticate"), {"code": code})
        assert (answer.status_code, answer.headers["Location"]) == (302, reverse("home"))
        assert client.get("/o/acme/leads/").status_code == 200

    def test_signing_up_and_asking_for_a_new_password(self, admin: Membership) -> None:
        new = {"email": "jo@example.test", "password1": PASSWORD, "password2": PASSWORD}
        signed_up = Client().post(reverse("account_signup"), new)
        assert signed_up.headers["Location"] == reverse("account_email_verification_sent")
        reset = Client().post(reverse("account_reset_password"), {"email": "admin@acme.test"})
        assert reset.headers["Location"] == reverse("account_reset_password_done")

    @pytest.mark.parametrize(
        "path",
        ["/", "leads/", "leads/new/", "knowledge/", "usage/", "settings/ai/", "settings/members/", "settings/tokens/",
         "settings/audit/"],
    )  # fmt: skip
    def test_every_page(self, person: Client, path: str) -> None:
        answer = person.get(path if path == "/" else f"/o/acme/{path}", follow=True)
        assert answer.status_code == 200

    def test_a_strangers_message_and_a_call_of_the_api(
        self, admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        _, token = ApiToken.issue(admin.organization, name="Form", scopes=[Scope.LEADS_WRITE], created_by=None)
        began = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            assert Client().post("/in/acme/", LEAD).status_code == 302
            called = Client().post(
                "/api/leads", json.dumps(LEAD), content_type="application/json",
                headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
        assert called.status_code == 201
        assert time.monotonic() - began < SECONDS
        # They wait for the sweep.
        assert [lead.runs.get().status for lead in Lead.objects.all()] == [RunStatus.QUEUED] * 2

    def test_everything_that_tells_a_worker(
        self, person: Client, admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        draft = draft_under_review(organization=admin.organization)
        text = {"subject": draft.subject, "body": draft.body, "version": "1"}
        with django_capture_on_commit_callbacks(execute=True) as told:
            posted = [
                person.post("/o/acme/leads/new/", LEAD),
                person.post("/o/acme/knowledge/add/", {"title": "Prices", "content": "Ten dollars."}),
                person.post(f"/o/acme/drafts/{draft.pk}/approve/", text),
            ]
        assert [answer.status_code for answer in posted] == [302, 302, 302]
        assert len(told) >= 3
        assert Document.objects.filter(title="Prices").exists()
        assert EmailDraft.objects.get(pk=draft.pk).status == DraftStatus.SENDING

    def test_testing_and_saving_a_key(self, person: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = Asked()
        monkeypatch.setattr("byok.checking.proving.test_ai_connection", asked)
        tested = person.post("/o/acme/settings/ai/test/", fields(), headers={"HX-Request": "true"})
        saved = person.post("/o/acme/settings/ai/", fields())
        assert (tested.status_code, saved.status_code) == (200, 302)
        assert [call["key"] for call in asked.calls] == [KEYS["openai"]] * 2

    def test_readiness_tells_it(self) -> None:
        answer = Client().get("/readyz")
        assert answer.status_code == 503
        told = answer.json()
        assert (told["status"], told["database"], told["broker"]) == ("not ready", "ok", "failed")
        assert (told["usage"]["state"], told["usage"]["worker"]) == ("ok", "not seen")


# --- The cache ----------------------------------------------------------------------


def test_it_answers_as_an_empty_cache(dead_redis: str) -> None:
    cache.set("a", 1)
    cache.set_many({"a": 1, "b": 2})
    assert cache.add("a", 2) is True
    assert cache.get("a") is None
    assert cache.get("a", "default") == "default"
    assert cache.get_many(["a", "b"]) == {}
    assert cache.get_or_set("a", "made") == "made"
    assert "a" not in cache
    assert (cache.touch("a"), cache.delete("a")) == (False, False)
    cache.delete_many(["a", "b"])
    cache.clear()
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")
    assert not is_too_often("lead:x", limit=0, seconds=60)


def test_a_redis_that_says_nothing_is_waited_for_once(admin: Membership, settings: Settings) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": address}}
        began = time.monotonic()
        right = Client().post(reverse("account_login"), {"login": "admin@acme.test", "password": PASSWORD})
        took = time.monotonic() - began
    assert right.headers["Location"] == reverse("home")
    assert 0.9 < took < SECONDS


def test_it_is_told_once_a_minute_and_asked_every_few_seconds(
    dead_redis: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "leadagent.cache")
    now = [0]
    asked = []

    def refuse(*_: object) -> None:
        asked.append(now[0])
        raise RedisConnectionError(f"Error 111 connecting to {dead_redis}")

    monkeypatch.setattr(cache_module, "time", SimpleNamespace(monotonic=lambda: float(now[0])))
    monkeypatch.setattr(RedisCacheClient, "get", refuse)
    for now[0] in range(121):
        cache.get("a")
        cache.get("b")
    assert asked == list(range(0, 121, 5))
    assert len(caplog.records) == 3
    said = caplog.records[0].getMessage()
    assert "Redis is away (ConnectionError)" in said
    assert dead_redis not in said


@pytest.fixture
def real_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test run's own, with nothing known of it yet."""
    monkeypatch.setattr(cache_module, "_absences", {})
    settings.CACHES = dict(settings.CACHES)


@pytest.mark.usefixtures("real_redis")
@pytest.mark.parametrize(
    "away", [RedisConnectionError(), RedisTimeoutError(), OutOfMemoryError(), ReadOnlyError(), OSError()], ids=repr
)
def test_a_redis_that_is_back_counts_again(monkeypatch: pytest.MonkeyPatch, away: Exception) -> None:
    now = 0.0
    monkeypatch.setattr(cache_module, "time", SimpleNamespace(monotonic=lambda: now))
    what = f"lead:{uuid4()}"

    def refuse(*_: object) -> None:
        raise away

    with monkeypatch.context() as patch:
        patch.setattr(RedisCacheClient, "add", refuse)
        assert not is_too_often(what, limit=0, seconds=600)
    assert not is_too_often(what, limit=0, seconds=600), "it is left alone for a while"
    now = cache_module.ASKED_AGAIN_AFTER
    assert [is_too_often(what, limit=2, seconds=600) for _ in range(3)] == [False, False, True]


@pytest.mark.usefixtures("real_redis")
def test_a_wrong_question_stays_an_error() -> None:
    key = str(uuid4())
    cache.set(key, "no number", 10)
    assert cache.get(key) == "no number"
    with pytest.raises(ResponseError, match="not an integer"):
        cache.incr(key)
