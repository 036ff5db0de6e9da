"""Whatever breaks while a key is at hand: the error report tells where, and not the key."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.module_loading import import_string
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Membership, Organization
from tests.byok.fake_provider import FakeProvider
from tests.security.canary import Canary

pytestmark = pytest.mark.django_db

MODEL, OTHER_MODEL = "gpt-4o", "gpt-5"


@pytest.fixture
def canary() -> Canary:
    return Canary()


@pytest.fixture
def client(admin: Membership) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(admin.user)
    return client


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """Of every exception that a view lets out: the report as page and as text."""
    made: list[str] = []

    def note(sender: object, request: HttpRequest, **_: Any) -> None:
        made.append(report_of(request))

    got_request_exception.connect(note)
    yield made
    got_request_exception.disconnect(note)


def report_of(request: HttpRequest | None) -> str:
    """The report of the exception that is being handled."""
    reporter = import_string(django_settings.DEFAULT_EXCEPTION_REPORTER)(request, *sys.exc_info())
    return f"{reporter.get_traceback_html()}{reporter.get_traceback_text()}"


def form(key: str, version: int) -> dict[str, str]:
    return {
        "provider": "openai", "api_key": key, "chat_model": OTHER_MODEL, "embedding_provider": "openai",
        "embedding_model": "text-embedding-3-small", "version": str(version),
    }  # fmt: skip


def send(client: Client, way: str, organization: Organization, key: str, version: int) -> HttpResponse:
    """The five ways a key comes in; an empty key is the stored one's."""
    body = {"provider": "openai", "models": {"chat": OTHER_MODEL}} | ({"api_key": key} if key else {})
    match way:
        case "save":
            where = reverse("byok:settings", args=[organization.slug])
            return client.post(where, form(key, version))  # type: ignore[return-value]
        case "test":
            where = reverse("byok:test_key", args=[organization.slug])
            return client.post(where, form(key, version))  # type: ignore[return-value]
        case "wizard":
            where = reverse("byok:onboarding_key", args=[organization.slug, "openai"])
            return client.post(where, {"api_key": key})  # type: ignore[return-value]
        case "api save":
            return client.post("/api/ai-config", json.dumps(body), content_type="application/json")  # type: ignore[return-value]
        case _:
            return client.put("/api/ai-config", json.dumps(body), content_type="application/json")  # type: ignore[return-value]


def break_asking(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"this came in the way of {key}")

    monkeypatch.setattr("byok.checking.connection.ask", broken)


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize(
    ("way", "stored"),
    [
        ("save", False), ("save", True), ("test", False), ("test", True), ("wizard", False), ("api save", False),
        ("api save", True), ("api test", False), ("api test", True),
    ],
)  # fmt: skip
def test_a_report_holds_no_key(
    way: str,
    stored: bool,
    debug: bool,
    client: Client,
    organization: Organization,
    canary: Canary,
    reports: list[str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DEBUG = debug
    key = canary.key("openai")
    if stored:
        save_ai_config(organization, provider="openai", chat_model=MODEL, api_key=key)
    break_asking(monkeypatch, key)
    answer = send(client, way, organization, "" if stored else key, version=int(stored))
    assert answer.status_code == 500
    assert not canary.seen_in(answer.content)
    [report] = reports
    assert "RuntimeError" in report
    assert "byok/checking/connection.py" in report, "it still tells where"
    assert not canary.seen_in(report)


def test_a_report_from_inside_a_call_holds_none(organization: Organization, canary: Canary, fake: FakeProvider) -> None:
    save_ai_config(organization, provider="openai", chat_model=MODEL, api_key=canary.key("openai"))
    model = get_model_for_tenant(organization, "chat", operation="research")

    def broken(request: Any) -> Any:
        raise RuntimeError(f"{dict(request.headers)}")

    fake.answer = broken
    client: Any = model.client()
    try:
        client.chat.completions.create(model=model.model_id, messages=[{"role": "user", "content": "Hello"}])
    except Exception:
        report = report_of(None)
    assert canary.seen_in(str(fake.sent[0].headers.multi_items())), "it was on its way"
    assert not canary.seen_in(report)


def test_posted_fields_and_addresses_are_covered_for_every_view(canary: Canary) -> None:
    """Also where nobody thought of `sensitive_post_parameters`."""
    key = canary.key("anthropic")
    request = RequestFactory().post(f"/somewhere/?key={key}", {"note": f"mine is {key}"}, headers={"X-Api-Key": key})
    try:
        raise ValueError(key)
    except ValueError:
        report = report_of(request)
    assert "note" in report
    assert "ValueError" in report
    assert not canary.seen_in(report)
