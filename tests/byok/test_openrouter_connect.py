"""One-click connect: the exchange with every refusal, and the way to OpenRouter and back."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.test import Client
from pytest_django import Settings

from byok.checking import limit as key_test_limit
from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.config.saving import save_ai_config
from byok.connecting import attempts as connect_attempts
from byok.connecting.openrouter import auth_url, challenge_of, exchange_code, new_verifier
from byok.errors import AIError
from byok.models import AIConfig, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.byok.asked import Asked
from tests.byok.fake_provider import Body, FakeProvider
from tests.byok.keys import KEYS
from tests.byok.pages import sign_in_grows_old, text, url
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory

KEY = KEYS["openrouter"]
CODE = "auth_code_5f2c9be1"


# --- The exchange -------------------------------------------------------------------


def test_the_verifier_is_long_random_and_of_the_allowed_alphabet() -> None:
    made = {new_verifier() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier) for verifier in made)


def test_the_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 7636, appendix B."""
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("base", "auth"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/auth"),
        ("http://127.0.0.1:8000/sandbox/openrouter/api/v1", "http://127.0.0.1:8000/sandbox/openrouter/auth"),
    ],
)
def test_people_are_sent_to_where_keys_are_sent(settings: Settings, base: str, auth: str) -> None:
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"openrouter": base}
    address, _, query = auth_url(callback_url="https://app.test/o/a/?x=1&y=2", challenge="abc").partition("?")
    assert address == auth
    assert parse_qs(query) == {
        "callback_url": ["https://app.test/o/a/?x=1&y=2"],
        "code_challenge": ["abc"],
        "code_challenge_method": ["S256"],
    }


def test_a_code_becomes_a_key(fake: FakeProvider) -> None:
    fake.answers(200, {"key": KEY, "user_id": "user_1"}, set_cookie="session=1")
    assert exchange_code(CODE, verifier="v" * 43) == KEY
    [sent] = fake.sent
    assert (sent.method, str(sent.url)) == ("POST", "https://openrouter.ai/api/v1/auth/keys")
    assert fake.body == {"code": CODE, "code_verifier": "v" * 43, "code_challenge_method": "S256"}
    assert not {"authorization", "cookie"} & set(sent.headers)
    exchange_code(CODE, verifier="v" * 43)
    assert "cookie" not in fake.sent[-1].headers


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (400, {"error": {"code": 400, "message": "Invalid code_challenge_method"}}, "bad_request", "Start the conn"),
        (403, {"error": {"code": 403, "message": "Invalid code or code_verifier"}}, "bad_request", "Start the conn"),
        (403, {"error": f"echoes {KEY}"}, "bad_request", "Start the conn"),
        (404, {"error": {"message": "Not Found"}}, "bad_response", "Paste a key instead"),
        (405, {"error": {"message": "Method Not Allowed"}}, "bad_response", "Paste a key instead"),
        (302, {}, "bad_response", "Paste a key instead"),
        (402, {"error": {"message": "Insufficient credits"}}, "no_credit", "no credit"),
        (429, {"error": {"message": "Rate limit exceeded"}}, "rate_limited", "limits how many"),
        (500, b"<html>oops</html>", "overloaded", "overloaded"),
        (503, {"error": {"message": "Down"}}, "overloaded", "overloaded"),
        (200, b"not json", "bad_response", "could not be read"),
        (200, b"[1, 2]", "bad_response", "could not be read"),
        (200, {}, "bad_response", "could not be read"),
        (200, {"key": 7}, "bad_response", "could not be read"),
        (200, {"key": "sk-ant-api03-anotherprovidersone"}, "bad_response", "could not be read"),
        (200, {"key": f"{KEY}\r\nX-Evil: 1"}, "bad_response", "could not be read"),
    ],
    ids=str,
)
def test_every_refusal_is_told_in_our_words(
    fake: FakeProvider, caplog: pytest.LogCaptureFixture, status: int, body: Any, code: str, words: str
) -> None:
    fake.answers(status, body, location="https://evil.test/")
    with pytest.raises(AIError) as raised:
        exchange_code(CODE, verifier="verifier-" * 6)
    assert (raised.value.code, raised.value.status) == (code, status)
    assert words in raised.value.sentence
    assert len(fake.sent) == 1, "no redirect is followed, no code is sent twice"
    everything = f"{raised.value!r} {raised.value.detail} {caplog.text}"
    for secret in (KEY, CODE, "verifier-"):
        assert secret not in everything
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_an_answer_that_is_larger_than_any_honest_one_is_given_up(fake: FakeProvider) -> None:
    fake.answers(200, b'{"key": "' + KEY.encode() + b'"}' + b" " * 20_000)
    with pytest.raises(AIError, match="could not be read") as raised:
        exchange_code(CODE, verifier="verifier-" * 6)
    assert raised.value.code == "bad_response"
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx2.ConnectError("refused"), "unreachable"),
        (httpx2.ReadError("reset"), "unreachable"),
        (httpx2.ConnectTimeout("slow"), "timeout"),
        (httpx2.ReadTimeout("slow"), "timeout"),
        (ValueError(f"holds {KEY}"), "unreachable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_no_answer_is_no_verdict(fake: FakeProvider, failure: Exception, code: str) -> None:
    def answer(request: httpx2.Request) -> Exception:
        return failure

    fake.answer = answer
    with pytest.raises(AIError) as raised:
        exchange_code(CODE, verifier="v" * 43)
    assert raised.value.code == code
    assert raised.value.__context__ is None


def test_an_answer_that_drips_is_given_up(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("byok.connecting.openrouter.time.monotonic", lambda: next(clock))
    body = Body([b" "] * 100)
    fake.answer = lambda request: httpx2.Response(200, stream=body)
    with pytest.raises(AIError) as raised:
        exchange_code(CODE, verifier="v" * 43)
    assert raised.value.code == "timeout"
    assert body.closed


# --- There and back -----------------------------------------------------------------


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization)


def begin(client: Client, organization: Organization, origin: str = "onboarding") -> tuple[str, dict[str, str]]:
    """Press the button: the path that OpenRouter is to send us back to, and what it was told."""
    answer = client.get(url("connect_start", organization), {"from": origin})
    assert answer.status_code == 302
    address, _, query = answer.headers["Location"].partition("?")
    assert address == "https://openrouter.ai/auth"
    told = {name: values[0] for name, values in parse_qs(query).items()}
    return urlsplit(told["callback_url"]).path, told


@pytest.fixture
def openrouter(fake: FakeProvider) -> FakeProvider:
    """Checks the verifier as OpenRouter does, and accepts each code once."""
    fake.answers(200, {"key": KEY, "user_id": "user_1"})
    return fake


def test_the_whole_way(
    client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://app.test"
    back, told = begin(client, organization)
    assert told["callback_url"].startswith("https://app.test/o/acme/connect/openrouter/")
    page = text(client.get(back, {"code": CODE}))
    assert "Finish connecting" in page
    assert "Nothing has changed for Acme yet" in page
    assert openrouter.sent == []
    assert not AIConfig.objects.exists()

    done = client.post(back, {"code": CODE})

    assert done.headers["Location"] == url("onboarding_models", organization)
    digest = hashlib.sha256(openrouter.body["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == told["code_challenge"]
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model) == ("openrouter", "anthropic/claude-sonnet-5.5")
    assert config.credentials["openrouter"].last4 == KEY[-4:]
    assert [call["key"] for call in asked.calls] == [KEY]
    assert KEY not in json.dumps(dict(client.session))
    assert "verifier" not in json.dumps(dict(client.session))
    assert AuditEvent.objects.filter(action="credential.saved").exists()


def test_models_and_key_that_are_there_stay_and_can_be_brought_back(
    client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
) -> None:
    save_ai_config(
        organization, provider="openrouter", chat_model="openai/gpt-5", api_key="sk-or-v1-00112233445566778899older"
    )
    back, _ = begin(client, organization, "settings")
    assert "in place of" in text(client.get(back, {"code": CODE}))
    assert client.post(back, {"code": CODE}).headers["Location"] == url("settings", organization)
    assert get_ai_config(organization).chat_model == "openai/gpt-5"
    assert ProviderCredential.objects.get().superseded.last4 == "lder"


def refused(client: Client, path: str, **more: Any) -> tuple[int, str]:
    answer = client.post(path, {"code": CODE}, **more)
    return answer.status_code, text(answer)


@pytest.fixture
def nothing_changes(organization: Organization) -> Iterator[None]:
    yield
    assert not AIConfig.objects.exists()
    assert not ProviderCredential.objects.exists()


@pytest.mark.usefixtures("nothing_changes")
class TestNothingIsConnected:
    def test_when_the_code_was_used(
        self, client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
    ) -> None:
        openrouter.answers(403, {"error": {"code": 403, "message": "Invalid code or code_verifier"}})
        back, _ = begin(client, organization)
        status, page = refused(client, back)
        assert status == 422
        assert "did not accept this sign-in" in page
        assert "Connect again" in page

    def test_twice_with_one_state(
        self, client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
    ) -> None:
        openrouter.answers(503, {})
        back, _ = begin(client, organization)
        assert refused(client, back)[0] == 422
        openrouter.answers(200, {"key": KEY})
        status, page = refused(client, back)
        assert status == 404
        assert "cannot be finished here" in page
        assert len(openrouter.sent) == 1

    def test_with_a_state_that_nobody_was_given(
        self, client: Client, organization: Organization, openrouter: FakeProvider
    ) -> None:
        begin(client, organization)
        back = url("connect_callback", organization, "A" * 43)
        assert client.get(back, {"code": CODE}).status_code == 404
        assert refused(client, back)[0] == 404
        assert openrouter.sent == []

    def test_after_ten_minutes(
        self,
        client: Client,
        organization: Organization,
        openrouter: FakeProvider,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(connect_attempts, "LIFETIME_SECONDS", 0)
        back, _ = begin(client, organization)
        assert client.get(back, {"code": CODE}).status_code == 404
        assert refused(client, back)[0] == 404
        assert openrouter.sent == []

    def test_by_another_person(self, client: Client, organization: Organization, openrouter: FakeProvider) -> None:
        back, _ = begin(client, organization)
        assert refused(client_of(organization), back)[0] == 404
        # Somebody else at the same browser: the attempt names its person.
        session = client.session
        session["openrouter_connect"] = {
            state: attempt | {"person": 0} for state, attempt in session["openrouter_connect"].items()
        }
        session.save()
        assert refused(client, back)[0] == 404
        assert openrouter.sent == []

    def test_for_another_organisation(self, organization: Organization, openrouter: FakeProvider) -> None:
        other = OrganizationFactory(slug="globex")
        both = MembershipFactory(organization=organization, role=Role.ADMIN).user
        MembershipFactory(organization=other, user=both, role=Role.ADMIN)
        client = Client()
        client.force_login(both)
        back, _ = begin(client, organization)
        state = back.rstrip("/").rpartition("/")[2]
        assert refused(client, url("connect_callback", other, state))[0] == 404
        assert openrouter.sent == []

    @pytest.mark.parametrize("query", [{"error": "access_denied"}, {}, {"code": ""}, {"code": "x" * 5000}])
    def test_when_it_was_declined(
        self, client: Client, organization: Organization, openrouter: FakeProvider, query: dict[str, str]
    ) -> None:
        back, _ = begin(client, organization)
        answer = client.get(back, query)
        assert answer.status_code == 422
        assert "OpenRouter was not connected" in text(answer)
        assert client.post(back, query).status_code == 422
        assert openrouter.sent == []

    def test_when_the_new_key_fails_its_test(
        self, client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
    ) -> None:
        asked.states["key"] = LineState.FAILED
        back, _ = begin(client, organization)
        status, page = refused(client, back)
        assert status == 422
        assert "did not pass its test" in page
        assert "Key line." in page
        assert KEY not in page
        assert AuditEvent.objects.filter(action="connection.test_failed").exists()

    def test_without_the_forms_token(self, organization: Organization, openrouter: FakeProvider) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
        back, _ = begin(strict, organization)
        assert strict.post(back, {"code": CODE}).status_code == 403
        assert openrouter.sent == []

    def test_long_after_the_sign_in(self, client: Client, organization: Organization, openrouter: FakeProvider) -> None:
        back, _ = begin(client, organization)
        sign_in_grows_old(client)
        start = client.get(url("connect_start", organization), {"from": "settings"})
        assert start.headers["Location"].startswith("/accounts/reauthenticate/?next=")
        answer = client.post(back, {"code": CODE})
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
        assert openrouter.sent == []

    def test_where_own_keys_are_switched_off(
        self, client: Client, organization: Organization, openrouter: FakeProvider, settings: Settings
    ) -> None:
        back, _ = begin(client, organization)
        settings.BYOK_ENABLED = False
        assert client.get(url("connect_start", organization)).headers["Location"] == url("settings", organization)
        assert refused(client, back)[0] == 403
        assert openrouter.sent == []

    def test_more_often_than_keys_may_be_tested(
        self,
        client: Client,
        organization: Organization,
        openrouter: FakeProvider,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(key_test_limit, "PER_CALLER", (0, 600))
        back, _ = begin(client, organization)
        status, page = refused(client, back)
        assert status == 429
        assert "Too many key tests" in page
        assert openrouter.sent == []


def test_what_somebody_saved_meanwhile_stays(
    client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
) -> None:
    asked.meanwhile = lambda: save_ai_config(
        organization, provider="openai", chat_model="gpt-5", api_key=KEYS["openai"]
    )
    back, _ = begin(client, organization)
    status, page = refused(client, back)
    assert status == 409
    assert "Somebody saved the configuration meanwhile" in page
    assert get_ai_config(organization).provider == "openai"
    assert list(get_ai_config(organization).credentials) == ["openai"]


def test_several_tabs_and_no_more(client: Client, organization: Organization, fake: FakeProvider) -> None:
    ways = [begin(client, organization)[0] for _ in range(connect_attempts.MAX_PENDING + 1)]
    statuses = [client.get(way, {"code": CODE}).status_code for way in ways]
    assert statuses == [404] + [200] * connect_attempts.MAX_PENDING


def test_an_unknown_origin_leads_to_the_settings(
    client: Client, organization: Organization, openrouter: FakeProvider, asked: Asked
) -> None:
    back, _ = begin(client, organization, "https://evil.test/")
    assert client.post(back, {"code": CODE}).headers["Location"] == url("settings", organization)
