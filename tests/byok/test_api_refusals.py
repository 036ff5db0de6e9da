"""`/api/ai-config` with what no honest client sends: always an answer with a reason, never a crash or a silent no."""

import json
from typing import Any

import pytest
from django.test import Client

from byok.config.saving import save_ai_config
from byok.models import AIConfig, ProviderCredential
from leadagent.tenants.models import ApiToken, Organization, Scope
from tests.byok.asked import Asked
from tests.byok.keys import KEYS

pytestmark = pytest.mark.django_db

ADDRESS = "/api/ai-config"
UNSTORABLE = ["a/b\x00c", "a/b\nc", "a/b\r\nX-Evil: 1", "a/\ud800"]


@pytest.fixture
def call(organization: Organization) -> Any:
    """`call("post", provider=…)`: the status and the body of the answer."""
    _, token = ApiToken.issue(organization, name="Test", scopes=[Scope.CONFIG_WRITE], created_by=None)

    def made(method: str, body: str | None = None, **payload: Any) -> tuple[int, dict[str, Any]]:
        answer = getattr(Client(), method)(
            ADDRESS,
            json.dumps(payload) if body is None else body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert KEYS["openai"] not in answer.content.decode()
        return answer.status_code, json.loads(answer.content)

    return made


def stored(organization: Organization) -> None:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])


@pytest.mark.parametrize("bad", UNSTORABLE)
@pytest.mark.parametrize(
    ("field", "payload"),
    [
        ("models.chat", lambda bad: {"models": {"chat": bad}}),
        ("models.embedding", lambda bad: {"models": {"chat": "gpt-4o", "embedding": bad}}),
        ("operation_models.research", lambda bad: {"operation_models": {"research": bad}}),
        ("openrouter_settings.site_url", lambda bad: {"openrouter_settings": {"site_url": f"https://acme.test/{bad}"}}),
        ("openrouter_settings.site_name", lambda bad: {"openrouter_settings": {"site_name": bad}}),
        ("cost_alert.email", lambda bad: {"cost_alert": {"email": f"{bad}@acme.test"}}),
    ],
)
def test_text_that_cannot_be_stored(call: Any, asked: Asked, field: str, payload: Any, bad: str) -> None:
    chosen = {"provider": "openai", "models": {"chat": "gpt-4o"}, "api_key": KEYS["openai"]}
    status, body = call("post", **(chosen | payload(bad)))
    assert (status, body["error"]["field"]) == (422, field)
    assert not asked.calls
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", "{", "[" * 100_000, json.dumps({"api_key": [KEYS["openai"]]}), f'{{"version": {"9" * 5000}}}'],
)
@pytest.mark.parametrize("method", ["post", "put"])
def test_a_body_that_is_none(call: Any, method: str, body: str) -> None:
    assert call(method, body)[0] in {400, 422}


@pytest.mark.parametrize("sum_", ["NaN", "Infinity", "1e9999", "-1", "0.001"])
def test_a_sum_that_is_none(call: Any, sum_: str) -> None:
    assert call("post", cost_alert={"enabled": True, "monthly_threshold": sum_, "email": "a@acme.test"})[0] == 422


def test_removing_a_key_while_leaving_its_provider_is_not_passed_over(call: Any, organization: Organization) -> None:
    stored(organization)
    status, body = call("post", provider="platform_default", api_key=None)
    assert (status, body["error"]["field"]) == (422, "api_key")
    assert AIConfig.objects.get().provider == "openai"
    assert call("post", api_key=None)[0] == 200
    assert not ProviderCredential.objects.exists()
    assert call("post", provider="platform_default", api_key=None)[0] == 200


def test_a_key_for_the_platforms_ai_is_refused(call: Any, asked: Asked) -> None:
    status, body = call("post", provider="platform_default", api_key=KEYS["openai"])
    assert (status, body["error"]["field"]) == (422, "api_key")


def test_the_word_for_keeping_a_key_is_no_key(call: Any, organization: Organization) -> None:
    stored(organization)
    status, body = call("post", provider="openai", api_key=" keep ")
    assert (status, body["error"]["field"]) == (422, "api_key")


def test_nobody_is_asked_about_a_key_that_comes_with_a_stale_version(
    call: Any, organization: Organization, asked: Asked
) -> None:
    stored(organization)
    status, body = call("post", provider="openai", api_key=KEYS["openai"][:-4] + "zzzz", version=0)
    assert (status, body["error"]["code"]) == (409, "conflict")
    assert not asked.calls


def test_the_stored_key_is_tested_on_the_models_that_are_named(
    call: Any, organization: Organization, asked: Asked
) -> None:
    stored(organization)
    assert call("put", provider="openai", models={"chat": "gpt-5"})[0] == 200
    assert [(made["chat"], made["key"]) for made in asked.calls] == [(["gpt-5"], KEYS["openai"])]
    # A question about other models says nothing about the key's own state.
    assert ProviderCredential.objects.get().report is None
