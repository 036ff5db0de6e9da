"""`/api/ai-config`: read, save and test, by token and by session, and a key that never comes out."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.saving import KEEP, save_ai_config
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import ApiToken, AuditEvent, Organization, Role, Scope
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.clients import client_of
from tests.factories import OrganizationFactory
from usage.alerting.cost_alert import CostAlertChoice, save_cost_alert

pytestmark = pytest.mark.django_db

ADDRESS = "/api/ai-config"
NEW = "sk-proj-NEWnewNEWnewNEWnewNEW1111"


class Caller:
    def __init__(self, organization: Organization, *scopes: str) -> None:
        self.token, text = ApiToken.issue(organization, name="Test", scopes=list(scopes), created_by=None)
        self.headers = {"Authorization": f"Bearer {text}"}
        self.client = Client()

    def get(self) -> Any:
        return self.client.get(ADDRESS, headers=self.headers)

    def post(self, **payload: Any) -> Any:
        return self.client.post(ADDRESS, json.dumps(payload), content_type="application/json", headers=self.headers)

    def put(self, **payload: Any) -> Any:
        return self.client.put(ADDRESS, json.dumps(payload), content_type="application/json", headers=self.headers)


@pytest.fixture
def caller(organization: Organization) -> Caller:
    return Caller(organization, Scope.CONFIG_READ, Scope.CONFIG_WRITE)


def save(organization: Organization, **changed: Any) -> AIConfig:
    return save_ai_config(
        organization, **({"provider": "openai", "chat_model": "gpt-4o", "api_key": KEYS["openai"]} | changed)
    )


def error(response: Any) -> dict[str, str]:
    body = response.json()
    assert set(body) == {"error"}
    return dict(body["error"])


def test_an_organisation_without_configuration_reads_the_platforms(caller: Caller, settings: Settings) -> None:
    settings.FREE_TIER_REQUESTS = 50
    answer = caller.get()
    assert answer.status_code == 200
    told = answer.json()
    assert (told["provider"], told["version"], told["is_customer_key"]) == ("platform_default", 0, False)
    assert told["masked_key"] is told["key_status"] is None
    assert (told["free_tier"]["used"], told["free_tier"]["limit"]) == (0, 50)
    assert re.fullmatch(r"\d{4}-\d\d-01", told["free_tier"]["month"])
    assert told["fallback"] == dict.fromkeys(("research", "qualification", "email_generation", "embedding"), "never")
    assert told["byok_enabled"] is True


def test_what_is_saved_is_read_and_the_key_is_masked(caller: Caller, organization: Organization, asked: Asked) -> None:
    answer = caller.post(
        provider="openrouter",
        models={"chat": "anthropic/claude-sonnet-5.5"},
        operation_models={"qualification": "anthropic/claude-haiku-5.5"},
        api_key=KEYS["openrouter"],
        openrouter_settings={"site_url": "https://acme.test", "site_name": "Acme"},
        usage_tracking=False,
        fallback={"research": "allow"},
        cost_alert={"enabled": True, "monthly_threshold": "12.50", "email": "money@acme.test"},
        version=0,
    )
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told == caller.get().json()
    assert told["models"] == {"chat": "anthropic/claude-sonnet-5.5", "embedding": "openai/text-embedding-3-small"}
    assert told["operation_models"] == {"qualification": "anthropic/claude-haiku-5.5"}
    assert told["masked_key"] == "sk-or-v1-••••••••••wxyz"
    assert told["key_status"]["status"] == "ok"
    assert told["cost_alert"] == {"enabled": True, "monthly_threshold": "12.50", "email": "money@acme.test"}
    assert (told["usage_tracking"], told["fallback"]["research"], told["version"]) == (False, "allow", 1)
    assert KEYS["openrouter"] not in answer.content.decode()
    assert asked.calls[0]["chat"] == ["anthropic/claude-sonnet-5.5", "anthropic/claude-haiku-5.5"]
    event = AuditEvent.objects.get(action="ai_config.saved")
    assert "API token" in event.actor_label


def test_what_is_left_out_stays(caller: Caller, organization: Organization, asked: Asked) -> None:
    caller.post(
        provider="openai",
        models={"chat": "gpt-4o", "embedding": "text-embedding-3-large"},
        operation_models={"research": "gpt-5"},
        api_key=KEYS["openai"],
        fallback={"embedding": "ask"},
        cost_alert={"enabled": True, "monthly_threshold": "5", "email": "a@b.test"},
        usage_tracking=False,
    )
    before = caller.get().json()
    after = caller.post(models={"chat": "gpt-4o-mini"}).json()
    assert after == before | {
        "models": {"chat": "gpt-4o-mini", "embedding": "text-embedding-3-large"},
        "key_status": after["key_status"],
        "version": 2,
    }
    assert [call["chat"][0] for call in asked.calls] == ["gpt-4o", "gpt-4o-mini"], "the stored key was asked about it"
    assert caller.post(api_key="  ").json()["masked_key"] == before["masked_key"]


def test_an_alert_to_every_admin_can_be_read_and_saved_back(caller: Caller, organization: Organization) -> None:
    save_cost_alert(organization, CostAlertChoice(enabled=True, monthly_threshold=Decimal("25.00")))
    told = caller.get().json()["cost_alert"]
    assert told == {"enabled": True, "monthly_threshold": "25.00", "email": ""}
    answer = caller.post(cost_alert=told)
    assert answer.status_code == 200, answer.content
    assert answer.json()["cost_alert"] == told


def test_null_removes_the_key_and_nothing_takes_its_place(caller: Caller, organization: Organization) -> None:
    save(organization)
    answer = caller.post(api_key=None)
    assert answer.status_code == 200
    assert (answer.json()["masked_key"], answer.json()["provider"]) == (None, "openai")
    assert not ProviderCredential.objects.exists()


def test_a_stale_version_gets_409_and_changes_nothing(caller: Caller, organization: Organization) -> None:
    save(organization)
    save(organization, chat_model="gpt-5", api_key=KEEP)
    answer = caller.post(models={"chat": "gpt-4o-mini"}, version=1)
    assert answer.status_code == 409
    assert (error(answer)["code"], error(answer)["field"]) == ("conflict", "version")
    assert get_ai_config(organization).chat_model == "gpt-5"


@pytest.mark.parametrize(("state", "code"), [(LineState.FAILED, "key_refused"), (LineState.UNKNOWN, "key_not_tested")])
def test_a_key_that_is_not_proved_is_not_kept(
    caller: Caller, organization: Organization, asked: Asked, state: LineState, code: str
) -> None:
    save(organization)
    asked.states["key"] = state
    answer = caller.post(api_key=NEW)
    assert (answer.status_code, error(answer)["code"], error(answer)["field"]) == (422, code, "api_key")
    assert ProviderCredential.objects.get().last4 == "wxyz"
    again = caller.post(api_key=NEW, save_untested=True)
    assert again.status_code == (200 if state is LineState.UNKNOWN else 422)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"provider": "nowhere"}, "provider"),
        ({"api_key": KEYS["anthropic"]}, "api_key"),
        ({"api_key": "x" * 501}, "api_key"),
        ({"provider": "anthropic", "models": {"chat": "claude-haiku-4-5"}}, "api_key"),
        ({"provider": "anthropic", "api_key": KEYS["anthropic"]}, "models.chat"),
        ({"models": {"chat": "x" * 201}}, "models.chat"),
        ({"models": {"speech": "tts-1"}}, "models.speech"),
        ({"embedding_provider": "anthropic"}, "embedding_provider"),
        ({"embedding_provider": "openrouter"}, "embedding_provider"),
        ({"operation_models": {"embedding": "gpt-4o"}}, "operation_models"),
        ({"fallback": {"research": "sometimes"}}, "fallback.research"),
        ({"fallback": {"translation": "ask"}}, "fallback"),
        ({"cost_alert": {"enabled": True}}, "cost_alert.monthly_threshold"),
        ({"cost_alert": {"enabled": False, "monthly_threshold": "-1"}}, "cost_alert.monthly_threshold"),
        ({"cost_alert": {"enabled": False, "monthly_threshold": "1.005"}}, "cost_alert.monthly_threshold"),
        ({"cost_alert": {"enabled": False, "email": "no address"}}, "cost_alert.email"),
        ({"openrouter_settings": {"site_url": "javascript:alert(1)"}}, "openrouter_settings.site_url"),
        ({"openrouter_settings": {"site_name": "two\nlines"}}, "openrouter_settings.site_name"),
        ({"models": {"chat": KEYS["anthropic"]}}, "models.chat"),
        ({"models": {"embedding": KEYS["openrouter"]}}, "models.embedding"),
        ({"operation_models": {"research": KEYS["anthropic"]}}, "model_research"),
        ({"operation_models": {KEYS["anthropic"]: "gpt-4o"}}, "operation_models"),
        ({"openrouter_settings": {"site_name": KEYS["anthropic"]}}, "openrouter_settings.site_name"),
        ({"organization": 7}, "organization"),
        ({"version": "one"}, "version"),
    ],
    ids=str,
)
def test_bad_values_are_told_at_their_field(
    caller: Caller, organization: Organization, asked: Asked, payload: dict[str, Any], field: str
) -> None:
    save(organization)
    answer = caller.post(**payload)
    assert answer.status_code == 422, answer.content
    assert error(answer)["field"] == field
    assert KEYS["anthropic"] not in answer.content.decode()
    assert asked.calls == []
    assert AIConfig.objects.get().version == 1


@pytest.mark.parametrize("body", ["", "[]", "not json", '"text"', "null"])
def test_what_is_no_object_is_a_clear_error(caller: Caller, body: str) -> None:
    answer = caller.client.post(ADDRESS, body, content_type="application/json", headers=caller.headers)
    assert answer.status_code in {400, 422}
    assert error(answer)["message"]


def test_a_test_answers_the_whole_report_and_saves_nothing(
    caller: Caller, organization: Organization, asked: Asked
) -> None:
    asked.states["gpt-5"] = LineState.FAILED
    answer = caller.put(provider="openai", api_key=f" {NEW} ", models={"chat": "gpt-5"})
    assert answer.status_code == 200
    report = answer.json()
    assert (report["provider"], report["state"]) == ("openai", "failed")
    assert [(line["check"], line["state"], line["model"]) for line in report["lines"]] == [
        ("key", "ok", ""),
        ("chat_model", "failed", "gpt-5"),
        ("embedding_model", "ok", "text-embedding-3-small"),
    ]
    assert asked.calls[0]["key"] == NEW
    assert not ProviderCredential.objects.exists()
    assert NEW not in answer.content.decode()
    event = AuditEvent.objects.get(action="connection.test_failed")
    assert event.after is not None
    assert event.after["last4"] == "1111"


def test_a_key_in_place_of_a_model_goes_to_nobody(caller: Caller, asked: Asked) -> None:
    for misplaced in ({"chat": KEYS["openai"]}, {"embedding": KEYS["openai"]}):
        answer = caller.put(provider="openai", api_key=NEW, models=misplaced)
        assert (answer.status_code, error(answer)["code"]) == (422, "invalid")
        assert "belongs in the key field" in error(answer)["message"]
    assert asked.calls == []


def test_without_a_stored_key_there_is_nothing_to_test(caller: Caller) -> None:
    answer = caller.put(provider="openai")
    assert (answer.status_code, error(answer)["field"]) == (422, "api_key")


def test_tests_are_limited(caller: Caller, asked: Asked) -> None:
    with time_machine.travel(timezone.now().replace(minute=1), tick=False):
        answers = [caller.put(provider="openai", api_key=NEW).status_code for _ in range(11)]
        refused = caller.put(provider="openai", api_key=NEW)
    assert answers == [200] * 10 + [429]
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert len(asked.calls) == 10


def test_saving_a_key_counts_as_a_test_and_saving_models_does_not(
    caller: Caller, organization: Organization, asked: Asked
) -> None:
    save(organization)
    with time_machine.travel(timezone.now().replace(minute=1), tick=False):
        for _ in range(10):
            caller.put(provider="openai", api_key=NEW)
        refused = caller.post(api_key=NEW)
        assert (refused.status_code, error(refused)["code"]) == (429, "rate_limited")
        assert caller.post(models={"chat": "gpt-5"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "scope", "status"),
    [
        ("get", Scope.CONFIG_READ, 200),
        ("get", Scope.CONFIG_WRITE, 403),
        ("get", Scope.USAGE_READ, 403),
        ("post", Scope.CONFIG_READ, 403),
        ("put", Scope.CONFIG_READ, 403),
        ("post", Scope.LEADS_WRITE, 403),
        ("put", Scope.LEADS_WRITE, 403),
    ],
)
def test_scopes_decide(organization: Organization, method: str, scope: Scope, status: int) -> None:
    save(organization)
    answer = getattr(Caller(organization, scope), method)()
    assert answer.status_code == status
    if status == 403:
        assert error(answer)["code"] == "missing_scope"


@pytest.mark.parametrize("role", Role)
def test_only_admins_by_session(organization: Organization, asked: Asked, role: Role) -> None:
    save(organization)
    client = client_of(organization, role)
    expected = 200 if role is Role.ADMIN else 403
    assert client.get(ADDRESS).status_code == expected
    for method in (client.post, client.put):
        body = {"provider": "openai", "api_key": NEW}
        assert method(ADDRESS, json.dumps(body), content_type="application/json").status_code == expected
    assert len(asked.calls) == (2 if role is Role.ADMIN else 0)


def test_a_session_that_is_old_is_asked_who_it_is(organization: Organization, asked: Asked) -> None:
    save(organization)
    client = client_of(organization, Role.ADMIN)
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        for method in (client.post, client.put):
            body = {"provider": "openai", "api_key": NEW}
            answer = method(ADDRESS, json.dumps(body), content_type="application/json")
            assert (answer.status_code, error(answer)["code"]) == (403, "sign_in_again")
        assert client.get(ADDRESS).status_code == 200
    assert asked.calls == []


def test_a_token_reaches_its_own_organisation_only(caller: Caller, organization: Organization) -> None:
    other = OrganizationFactory()
    save(other)
    assert caller.client.get(ADDRESS, headers=caller.headers | {"X-Organization": other.slug}).json()["version"] == 0
    caller.post(api_key=None, provider="platform_default")
    assert ProviderCredential.objects.get().organization == other


def test_own_keys_switched_off(caller: Caller, organization: Organization, asked: Asked, settings: Settings) -> None:
    save(organization)
    settings.BYOK_ENABLED = False
    told = caller.get().json()
    assert (told["provider"], told["byok_enabled"]) == ("platform_default", False)
    assert caller.post(models={"chat": "gpt-5"}).status_code == 422
    assert caller.put(provider="openai", api_key=NEW).status_code == 403
    settings.BYOK_ENABLED = True
    assert caller.get().json()["version"] == 1
    assert ProviderCredential.objects.get().status == CredentialStatus.UNTESTED


def test_reading_never_opens_a_key(caller: Caller, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    save(organization)

    def refuse(*_: Any, **__: Any) -> str:
        raise AssertionError("a key was opened to be shown")

    monkeypatch.setattr("byok.keys.sources.decrypt_api_key", refuse)
    monkeypatch.setattr("byok.keys.stored.decrypt_api_key", refuse)
    monkeypatch.setattr("byok.encryption.decrypt_api_key", refuse)
    assert caller.get().json()["masked_key"] == "sk-proj-••••••••••wxyz"
