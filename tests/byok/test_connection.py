"""The capability report of a key that is accepted, and of one that is refused."""

import httpx2
import pytest

from byok.checking.connection import test_ai_connection as check
from byok.models import CredentialStatus
from tests.byok.fake_provider import MODELS
from tests.byok.keys import KEYS
from tests.byok.scripted_provider import (
    EMBEDDINGS,
    FAILED,
    OK,
    UNKNOWN,
    WARNING,
    WIRES,
    Script,
    asked,
    complete,
    line,
    states,
)
from usage.models import AIUsage, UsageInbox


# --- All is well ---
@WIRES
def test_a_good_key(script: Script, provider: str) -> None:
    scripted = script(provider)
    report = asked(provider)
    complete(report)
    assert report.is_proved
    assert not report.is_refused
    assert report.credential_status is CredentialStatus.OK
    expected = {"key": "ok", "kind": "ok", "chat_model": "ok"}
    expected |= {"embedding_model": "ok"} if EMBEDDINGS[provider] else {}
    # Neither OpenAI nor Anthropic tells an API key about money.
    expected |= {"credit": "ok", "expiry": "ok"} if provider == "openrouter" else {"credit": "unknown"}
    assert states(report) == expected
    assert all(request.method == "GET" and not request.content for request in scripted.fake.sent)


@WIRES
def test_no_question_is_asked_twice_and_the_key_travels_in_its_header_only(script: Script, provider: str) -> None:
    scripted = script(provider)
    asked(provider, chat_models=[MODELS[provider]] * 3)
    assert len(scripted.paths) == len(set(scripted.paths)) == {"openrouter": 3, "openai": 1, "anthropic": 1}[provider]
    for request in scripted.fake.sent:
        carrying = [name for name, value in request.headers.items() if KEYS[provider] in value]
        assert carrying == (["x-api-key"] if provider == "anthropic" else ["authorization"])
        assert KEYS[provider] not in str(request.url)
        assert "cookie" not in request.headers
        assert request.headers["user-agent"]
        assert provider != "anthropic" or request.headers["anthropic-version"] == "2023-06-01"
        timeout = request.extensions["timeout"]
        assert timeout["connect"] <= 5
        assert timeout["read"] <= 10


@WIRES
def test_listing_leaves_no_usage(db: None, script: Script, provider: str) -> None:
    script(provider)
    asked(provider)
    assert not UsageInbox.objects.exists()
    assert not AIUsage.objects.exists()


# --- The key is refused ---
@WIRES
def test_a_refused_key(script: Script, provider: str) -> None:
    scripted = script(provider)
    scripted.at_key(
        httpx2.Response(401, json={"error": {"type": "authentication_error", "message": f"bad {KEYS[provider]}"}})
    )
    report = asked(provider)
    complete(report)
    assert (line(report, "key").state, line(report, "key").code) == (FAILED, "invalid_key")
    assert line(report, "chat_model").state is UNKNOWN
    assert report.is_refused
    assert not report.is_proved
    assert report.credential_status is CredentialStatus.REJECTED
    assert len(scripted.fake.sent) == 1
    assert "(401)" in report.summary
    assert "Make a new key" in report.summary


@pytest.mark.parametrize(
    ("provider", "key", "word"),
    [
        ("openai", "sk-admin-AbCdEfGhIjKlMnOpQrStUvWx", "admin key"),
        ("anthropic", "sk-ant-admin01-AbCdEfGhIjKlMnOpQrStUvWx", "admin key"),
        ("openai", KEYS["anthropic"], "Anthropic key"),
        ("openrouter", KEYS["openai"], "OpenAI key"),
        ("anthropic", KEYS["openrouter"], "OpenRouter key"),
        ("openai", "sk-proj-with a space in it-0123456789", "one line"),
        ("openai", "sk-proj-0123456789\nX-Evil: 1", "one line"),
        ("openai", "sk-proj-ключ0123456789", "one line"),
        ("openrouter", "", "look like"),
    ],
)
def test_a_key_of_the_wrong_kind_is_not_even_sent(script: Script, provider: str, key: str, word: str) -> None:
    scripted = script(provider)
    report = check(provider, key, chat_models=["a/b"], embedding_model="c")
    complete(report)
    assert line(report, "kind").state is FAILED
    assert word in line(report, "kind").text
    assert report.credential_status is CredentialStatus.REJECTED
    assert scripted.fake.sent == []


@pytest.mark.parametrize("name", ["is_management_key", "is_provisioning_key"])
def test_a_management_key(script: Script, name: str) -> None:
    script("openrouter").key_facts(**{name: True})
    report = asked("openrouter")
    complete(report)
    assert line(report, "key").state is OK
    assert line(report, "kind").state is FAILED
    assert "management key" in line(report, "kind").text
    assert report.credential_status is CredentialStatus.REJECTED


def test_a_restricted_openai_key_is_not_invalid(script: Script) -> None:
    script("openai").at_key(
        httpx2.Response(
            401,
            json={
                "error": {
                    "message": "You have insufficient permissions for this operation. Missing scopes: api.model.read.",
                    "type": "invalid_request_error",
                    "code": None,
                }
            },
        )
    )
    report = asked("openai")
    complete(report)
    assert line(report, "key").state is WARNING
    assert "knows this key" in line(report, "key").text
    assert line(report, "chat_model").state is UNKNOWN
    assert line(report, "embedding_model").state is UNKNOWN
    assert not report.is_refused
    assert not report.is_proved
    assert report.credential_status is CredentialStatus.OK


def test_a_forbidden_question_is_no_verdict_on_the_key(script: Script) -> None:
    script("anthropic").at_key(
        httpx2.Response(403, json={"error": {"type": "permission_error", "message": "Your key may not list models."}})
    )
    report = asked("anthropic")
    complete(report)
    assert line(report, "key").state is WARNING
    assert not report.is_refused


def test_a_region_is_no_verdict_on_the_key(script: Script) -> None:
    body = {"error": {"message": "Country, region, or territory not supported", "code": "unsupported_country"}}
    script("openai").at_key(httpx2.Response(403, json=body))
    report = asked("openai")
    complete(report)
    assert line(report, "key").state is UNKNOWN
    assert "does not answer calls from the place" in line(report, "key").text
    assert report.credential_status is CredentialStatus.UNREACHABLE
