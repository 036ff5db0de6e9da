"""The capability report: what is refused, what could not be asked, and what is well are told apart."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from pytest_django import Settings

from byok.checking import asking
from byok.checking.connection import test_ai_connection as check
from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.errors import AIError
from byok.models import CredentialStatus, ProviderCredential
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import ANTHROPIC_CHAT, CHAT, MODELS, OPENAI_CHAT, Body, FakeProvider
from tests.byok.keys import KEYS
from tests.byok.test_key_stays_hidden import holders_of
from usage.models import AIUsage, UsageInbox

WIRES = pytest.mark.parametrize("provider", KEYS)
EMBEDDINGS = {"openrouter": "openai/text-embedding-3-small", "openai": "text-embedding-3-small", "anthropic": ""}
KEY_PATHS = {"openrouter": "/api/v1/key", "openai": "/v1/models", "anthropic": "/v1/models"}
OK, WARNING, FAILED, UNKNOWN = LineState.OK, LineState.WARNING, LineState.FAILED, LineState.UNKNOWN

KEY_FACTS: dict[str, Any] = {
    "label": "sk-or-v1-5f2...xyz",
    "usage": 25.5,
    "limit": 100,
    "limit_remaining": 74.5,
    "limit_reset": "monthly",
    "is_free_tier": False,
    "is_management_key": False,
    "expires_at": None,
}
Answer = httpx2.Response | BaseException


def listing(*names: str) -> httpx2.Response:
    return httpx2.Response(200, json={"data": [{"id": name} for name in names]})


class Scripted:
    """Answers per path; what is not named is well."""

    def __init__(self, fake: FakeProvider, provider: str) -> None:
        self.fake, self.provider = fake, provider
        self.by_path: dict[str, Callable[[httpx2.Request], Answer]] = {}
        fake.answer = self._answer

    def at_key(self, answer: Answer) -> None:
        self.by_path[KEY_PATHS[self.provider]] = lambda request: answer

    def key_facts(self, **facts: Any) -> None:
        self.by_path["/api/v1/key"] = lambda request: httpx2.Response(200, json={"data": KEY_FACTS | facts})

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.fake.sent]

    def _answer(self, request: httpx2.Request) -> Answer:
        path = request.url.path
        if path in self.by_path:
            return self.by_path[path](request)
        if path == "/api/v1/key":
            return httpx2.Response(200, json={"data": KEY_FACTS})
        if request.method == "POST":
            return httpx2.Response(200, json=CHAT[self.provider])
        if path.startswith("/v1/models/"):
            return httpx2.Response(404, json={"error": {"type": "not_found_error", "message": "model: none"}})
        return listing(*MODELS.values(), *EMBEDDINGS.values())


Script = Callable[[str], Scripted]


@pytest.fixture
def script(fake: FakeProvider) -> Script:
    return lambda provider: Scripted(fake, provider)


def asked(provider: str, **more: Any) -> ConnectionReport:
    chosen = {"chat_models": [MODELS[provider]], "embedding_model": EMBEDDINGS[provider]} | more
    return check(provider, KEYS[provider], **chosen)


def line(report: ConnectionReport, name: str) -> ReportLine:
    (found,) = [line for line in report.lines if line.check == name]
    return found


def states(report: ConnectionReport) -> dict[str, str]:
    return {line.check: line.state.value for line in report.lines}


def complete(report: ConnectionReport) -> None:
    """What holds for every report: sentences, a next step where one is needed, and the way to the row and back."""
    for each in report.lines:
        assert each.text.endswith(".")
        assert each.text[0].isupper() or each.text[0] == "$" or each.model
        assert each.label
        assert bool(each.next_step) is (each.state is not OK) or each.state is WARNING
        assert "{" not in each.text + each.next_step
        assert not any(key in repr(each) for key in KEYS.values())
    assert ConnectionReport.from_json(json.loads(json.dumps(report.as_json()))) == report


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


# --- Nothing is known ---

NO_VERDICT: dict[str, tuple[Answer, str]] = {
    "403 of a wall in between": (httpx2.Response(403, text="<html>Blocked</html>"), "bad_response"),
    "429": (httpx2.Response(429, headers={"retry-after": "7"}, json={"error": {"message": "slow"}}), "rate_limited"),
    "429 without a hint": (httpx2.Response(429), "rate_limited"),
    "500": (httpx2.Response(500, json={"error": {"message": "oops"}}), "overloaded"),
    "503": (httpx2.Response(503), "overloaded"),
    "529": (httpx2.Response(529, json={"error": {"type": "overloaded_error"}}), "overloaded"),
    "404": (httpx2.Response(404, json={"error": {"message": "no such page"}}), "bad_response"),
    "400": (httpx2.Response(400, json={"error": {"message": "what"}}), "bad_response"),
    "redirect": (httpx2.Response(302, headers={"location": "https://stray.test/v1/models"}), "bad_response"),
    "connect timeout": (httpx2.ConnectTimeout("slow"), "timeout"),
    "read timeout": (httpx2.ReadTimeout("slow"), "timeout"),
    "no connection": (httpx2.ConnectError("refused"), "unreachable"),
    "reset": (httpx2.ReadError("reset"), "unreachable"),
    "a bug": (RuntimeError("of the transport"), "unreachable"),
    "bad JSON": (httpx2.Response(200, content=b'{"data": ['), "bad_response"),
    "no JSON": (httpx2.Response(200, text="<html>"), "bad_response"),
    "not UTF-8": (httpx2.Response(200, content=b"\xff\xfe\x00"), "bad_response"),
    "empty": (httpx2.Response(204), "bad_response"),
    "deep JSON": (httpx2.Response(200, content=b"[" * 200_000), "bad_response"),
    "a list": (httpx2.Response(200, json=[1]), "bad_response"),
    "null": (httpx2.Response(200, content=b"null"), "bad_response"),
    "no data": (httpx2.Response(200, json={}), "bad_response"),
    "data is a text": (httpx2.Response(200, json={"data": "models"}), "bad_response"),
    "an error inside 200": (httpx2.Response(200, json={"error": {"message": "oops"}}), "bad_response"),
}


@WIRES
@pytest.mark.parametrize("mode", NO_VERDICT)
def test_what_says_nothing_about_the_key(script: Script, provider: str, mode: str) -> None:
    scripted = script(provider)
    answer, code = NO_VERDICT[mode]
    scripted.at_key(answer)
    report = asked(provider)
    complete(report)
    assert (line(report, "key").state, line(report, "key").code) == (UNKNOWN, code)
    assert "Nothing is known about this key yet" in line(report, "key").text
    assert not report.is_refused
    assert not report.is_proved
    assert report.credential_status is CredentialStatus.UNREACHABLE
    # Only what cannot have arrived is tried once more.
    assert len(scripted.fake.sent) == (2 if isinstance(answer, httpx2.ConnectError | httpx2.ConnectTimeout) else 1)


def test_the_advice_names_the_wait(script: Script) -> None:
    script("openai").at_key(httpx2.Response(429, headers={"retry-after": "7"}))
    assert line(asked("openai"), "key").next_step == "Test again in 7 seconds."


def test_a_redirect_is_not_followed_and_told(script: Script) -> None:
    scripted = script("openai")
    scripted.at_key(httpx2.Response(307, headers={"location": "https://stray.test/"}))
    assert "another address" in line(asked("openai"), "key").text
    assert scripted.paths == ["/v1/models"]


def test_a_connection_that_comes_about_at_the_second_try(script: Script) -> None:
    scripted = script("openai")
    tries: list[int] = []

    def second_time(request: httpx2.Request) -> Answer:
        tries.append(1)
        return httpx2.ConnectError("refused") if len(tries) == 1 else listing(MODELS["openai"], EMBEDDINGS["openai"])

    scripted.by_path["/v1/models"] = second_time
    assert asked("openai").is_proved


@WIRES
def test_a_huge_answer_is_given_up(script: Script, provider: str) -> None:
    chunk, read = b" " * (1 << 20), []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(1)
            yield chunk

    body = Body([])
    body.__class__ = type("Endless", (Body,), {"__iter__": lambda self: endless()})
    script(provider).at_key(httpx2.Response(200, stream=body))
    report = asked(provider)
    assert line(report, "key").code == "bad_response"
    assert len(read) == 9
    assert body.closed


@WIRES
def test_a_dripping_answer_is_given_up_in_time(script: Script, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byok.checking.connection.SECONDS", 0.3)

    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    body = Body([])
    body.__class__ = type("Drip", (Body,), {"__iter__": lambda self: drip()})
    script(provider).at_key(httpx2.Response(200, stream=body))
    began = time.monotonic()
    report = asked(provider)
    assert time.monotonic() - began < 1
    assert line(report, "key").code == "timeout"
    assert body.closed


def test_all_questions_share_one_deadline(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byok.checking.connection.SECONDS", 0.2)
    scripted = script("openrouter")

    def late(request: httpx2.Request) -> Answer:
        time.sleep(0.25)
        return httpx2.Response(200, json={"data": KEY_FACTS})

    scripted.by_path["/api/v1/key"] = late
    report = asked("openrouter")
    # The body is one chunk, and it came too late.
    assert line(report, "key").code == "timeout"
    assert scripted.paths == ["/api/v1/key"]


def test_another_destination_gets_nothing(fake: FakeProvider) -> None:
    for path in ("/../../evil", "/%2e%2e/evil", "/models/../key"):
        error = asking.ask("openrouter", KEYS["openrouter"], path, deadline=time.monotonic() + 5)
        assert isinstance(error, AIError)
        assert error.code == "wrong_destination"
    assert fake.sent == []


def test_a_cookie_never_goes_out_with_another_key(script: Script) -> None:
    scripted = script("openai")
    scripted.at_key(
        httpx2.Response(200, headers={"set-cookie": "s=acme; Path=/"}, json={"data": [{"id": MODELS["openai"]}]})
    )
    asked("openai")
    check("openai", KEYS["openai"][:-4] + "abcd", chat_models=["gpt-4o-mini"])
    assert len(scripted.fake.sent) == 2
    assert all("cookie" not in request.headers for request in scripted.fake.sent)


def test_the_address_is_the_configured_one(fake: FakeProvider, settings: Settings) -> None:
    settings.PROVIDER_URLS = {**settings.PROVIDER_URLS, "openai": "http://127.0.0.1:9/sandbox/openai/v1"}
    fake.answer = lambda request: listing("gpt-4o-mini")
    check("openai", KEYS["openai"], chat_models=["gpt-4o-mini"])
    assert str(fake.sent[0].url) == "http://127.0.0.1:9/sandbox/openai/v1/models"


# --- Credit and expiry ---


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, OK, "$74.50 of this key's limit of $100.00 is left. It starts afresh monthly."),
        ({"limit": None, "limit_remaining": None}, OK, "No spending limit is set"),
        ({"limit_remaining": 0}, FAILED, "$0.00 of this key's limit"),
        ({"limit_remaining": -0.5}, FAILED, "$0.00 of this key's limit"),
        ({"limit_remaining": 10}, WARNING, "$10.00 of this key's limit"),
        ({"limit_remaining": 0.00042}, WARNING, "$0.00042 of"),
        ({"is_free_tier": True, "limit": None, "limit_remaining": None}, WARNING, "only free models answer"),
        # Wrong types are no verdict.
        ({"limit": {"a": 1}}, UNKNOWN, "could not be read"),
        ({"limit_remaining": [1]}, UNKNOWN, "could not be read"),
        ({"limit_remaining": True}, UNKNOWN, "could not be read"),
        ({"limit_remaining": "much"}, UNKNOWN, "could not be read"),
        ({"limit_reset": {"x": 1}}, OK, "is left."),
    ],
)
def test_what_is_left(script: Script, facts: dict[str, Any], state: LineState, words: str) -> None:
    script("openrouter").key_facts(**facts)
    report = asked("openrouter")
    complete(report)
    assert line(report, "credit").state is state
    assert words in line(report, "credit").text
    expected = CredentialStatus.NO_CREDIT if state is FAILED else CredentialStatus.OK
    assert report.credential_status is expected


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 300])
def test_a_figure_that_is_no_sum(script: Script, written: str) -> None:
    body = json.dumps({"data": KEY_FACTS | {"limit_remaining": "@"}}).replace('"@"', written)
    script("openrouter").at_key(httpx2.Response(200, content=body.encode()))
    report = asked("openrouter")
    assert line(report, "credit").state is UNKNOWN
    assert line(report, "key").state is OK


@pytest.mark.parametrize(
    ("provider", "status", "body"),
    [
        ("openai", 429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "quota"}}),
        ("anthropic", 400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}),
        ("anthropic", 402, {"error": {"type": "billing_error", "message": "no"}}),
        ("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits"}}),
    ],
)
def test_no_credit_is_no_bad_key(script: Script, provider: str, status: int, body: Any) -> None:
    script(provider).at_key(httpx2.Response(status, json=body))
    report = asked(provider)
    assert line(report, "key").state is OK
    assert (line(report, "credit").state, line(report, "credit").code) == (FAILED, "no_credit")
    assert report.credential_status is CredentialStatus.NO_CREDIT


@pytest.mark.parametrize(
    ("in_days", "state"),
    [(-1, FAILED), (0.5, WARNING), (13.9, WARNING), (14.5, OK), (400, OK)],
)
def test_expiry(script: Script, in_days: float, state: LineState) -> None:
    expires = datetime.now(UTC) + timedelta(days=in_days)
    script("openrouter").key_facts(expires_at=expires.isoformat().replace("+00:00", "Z"))
    report = asked("openrouter")
    complete(report)
    assert line(report, "expiry").state is state
    assert report.expires_at == expires
    assert report.credential_status is (CredentialStatus.REJECTED if state is FAILED else CredentialStatus.OK)


@pytest.mark.parametrize("value", ["tomorrow", 1_800_000_000, {"at": 1}, "0001-01-01T00:00:00+23:59", "", True])
def test_an_expiry_that_cannot_be_read_is_left_out(script: Script, value: Any) -> None:
    script("openrouter").key_facts(expires_at=value)
    report = asked("openrouter")
    assert "expiry" not in states(report)
    assert report.expires_at is None
    assert report.is_proved


# --- Models ---


@WIRES
def test_a_model_that_is_not_offered(script: Script, provider: str) -> None:
    script(provider)
    report = asked(provider, chat_models=[MODELS[provider], "acme/none"], embedding_model="acme/nothing")
    missing = [line for line in report.lines if line.state is FAILED]
    assert [(line.check, line.model) for line in missing] == [
        ("chat_model", "acme/none"),
        ("embedding_model", "acme/nothing"),
    ]
    assert "acme/none" in missing[0].text
    assert report.is_refused
    assert report.credential_status is CredentialStatus.OK


def test_an_alias_at_anthropic_is_resolved(script: Script) -> None:
    scripted = script("anthropic")
    scripted.at_key(listing("claude-haiku-4-5-20251001"))
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(
        200, json={"id": "claude-haiku-4-5-20251001", "type": "model"}
    )
    assert asked("anthropic").is_proved
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(503)
    assert line(asked("anthropic"), "chat_model").state is UNKNOWN
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(200, json={"id": 5})
    assert line(asked("anthropic"), "chat_model").state is UNKNOWN


@pytest.mark.parametrize("name", ["../../oauth/token", "a/../../b", "..", "x?y=1", "x#y", "x y", "é"])
def test_a_models_name_cannot_lead_elsewhere(script: Script, name: str) -> None:
    scripted = script("anthropic")
    report = asked("anthropic", chat_models=[name])
    assert line(report, "chat_model").state in {FAILED, UNKNOWN}
    for request in scripted.fake.sent:
        assert request.url.host == "api.anthropic.com"
        assert request.url.raw_path.startswith(b"/v1/models")
        assert request.url.raw_path.count(b"?") <= 1
        assert b"oauth/token" not in request.url.raw_path


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("openai/gpt-4o-mini:nitro", OK),
        ("openai/gpt-4o-mini:online", OK),
        ("openai/gpt-4o-mini:free", FAILED),
        ("openai/gpt-4o-mini-2024-07-18", OK),
        ("openai/other:nitro", FAILED),
        ("@preset/leads", UNKNOWN),
    ],
)
def test_names_that_openrouters_list_does_not_hold(script: Script, name: str, state: LineState) -> None:
    scripted = script("openrouter")
    model = {"id": "openai/gpt-4o-mini", "canonical_slug": "openai/gpt-4o-mini-2024-07-18"}
    scripted.by_path["/api/v1/models/user"] = lambda request: httpx2.Response(200, json={"data": [model]})
    assert line(asked("openrouter", chat_models=[name]), "chat_model").state is state


LISTS_UNREADABLE: list[Answer] = [
    httpx2.Response(500),
    httpx2.Response(401, json={"error": {"message": "User not found."}}),
    httpx2.Response(404, json={"error": {"message": "Not Found"}}),
    httpx2.Response(200, json={"data": {"a": 1}}),
    httpx2.Response(200, json={"data": [1, None, ["x"]]}),
    httpx2.Response(200, json={"data": [{"id": 7}]}),
    httpx2.ReadTimeout("slow"),
]


@pytest.mark.parametrize("answer", LISTS_UNREADABLE, ids=repr)
def test_a_list_that_cannot_be_read_says_nothing_about_its_models(script: Script, answer: Answer) -> None:
    scripted = script("openrouter")
    scripted.by_path["/api/v1/models/user"] = lambda request: answer
    report = asked("openrouter")
    complete(report)
    assert line(report, "key").state is OK
    assert line(report, "chat_model").state is UNKNOWN
    assert line(report, "embedding_model").state is OK
    assert not report.is_refused
    assert not report.is_proved


def test_an_empty_list_offers_nothing(script: Script) -> None:
    script("openai").at_key(listing())
    assert line(asked("openai"), "chat_model").state is FAILED


def test_anthropic_offers_no_embeddings(script: Script) -> None:
    script("anthropic")
    report = asked("anthropic", embedding_model="text-embedding-3-small")
    assert line(report, "embedding_model").state is FAILED
    assert "no embeddings" in line(report, "embedding_model").text


# --- The probe ---

PROBED = pytest.mark.django_db
Rows = Callable[[], list[AIUsage]]


@PROBED
@WIRES
def test_a_probe_is_one_call_and_one_row(organization: Organization, script: Script, rows: Rows, provider: str) -> None:
    scripted = script(provider)
    report = asked(provider, organization=organization, probe=True)
    complete(report)
    assert line(report, "probe").state is OK
    assert report.is_proved
    (call,) = [request for request in scripted.fake.sent if request.method == "POST"]
    body = json.loads(call.content)
    limit = {"max_tokens": 1} if provider == "anthropic" else {"max_completion_tokens": 16}
    assert limit.items() <= body.items()
    assert body["model"] == MODELS[provider]
    (row,) = rows()
    assert (row.operation, row.key_owner, row.credential_id) == ("connection_test", "customer", None)
    assert row.success
    assert row.organization_id == organization.pk
    assert row.cost is not None
    from usage.templatetags.usage_format import money

    assert f"It cost {money(row.cost)}." in line(report, "probe").text
    assert line(report, "credit").state is OK


@PROBED
def test_a_probe_settles_what_a_restricted_key_leaves_open(
    organization: Organization, script: Script, rows: Rows
) -> None:
    script("openai").at_key(httpx2.Response(401, json={"error": {"message": "Missing scopes: api.model.read"}}))
    report = asked("openai", embedding_model="", organization=organization, probe=True)
    assert line(report, "key").state is WARNING
    assert line(report, "chat_model").state is OK
    assert line(report, "credit").state is OK
    assert report.is_proved
    assert len(rows()) == 1


@PROBED
@pytest.mark.parametrize(
    ("answer", "state", "code", "others"),
    [
        (
            httpx2.Response(429, json={"error": {"code": "insufficient_quota"}}),
            FAILED,
            "no_credit",
            {"credit": "failed"},
        ),
        (
            httpx2.Response(401, json={"error": {"message": "Missing scopes: model.request"}}),
            FAILED,
            "missing_scope",
            {},
        ),
        (
            httpx2.Response(404, json={"error": {"code": "model_not_found"}}),
            FAILED,
            "model_not_found",
            {"chat_model": "failed"},
        ),
        (httpx2.Response(400, json={"error": {"message": "unsupported"}}), FAILED, "bad_request", {}),
        (httpx2.Response(429), UNKNOWN, "rate_limited", {}),
        (httpx2.Response(503), UNKNOWN, "overloaded", {}),
        (httpx2.Response(302, headers={"location": "https://stray.test"}), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, content=b"{"), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, json=[1]), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, content=b" " * (2 << 20)), UNKNOWN, "bad_response", {}),
        (httpx2.ReadTimeout("slow"), UNKNOWN, "timeout", {}),
        (httpx2.ReadError("reset"), UNKNOWN, "unreachable", {}),
        (httpx2.ConnectError("refused"), UNKNOWN, "unreachable", {}),
    ],
    ids=repr,
)
def test_a_probe_that_fails(
    organization: Organization,
    script: Script,
    rows: Rows,
    answer: Answer,
    state: LineState,
    code: str,
    others: dict[str, str],
) -> None:
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: answer
    report = asked("openai", organization=organization, probe=True)
    complete(report)
    assert (line(report, "probe").state, line(report, "probe").code) == (state, code)
    assert others.items() <= states(report).items()
    assert len([request for request in scripted.fake.sent if request.method == "POST"]) == 1
    (row,) = rows()
    assert not row.success


@PROBED
def test_a_reasoning_model_that_thinks_its_tokens_away_was_reached(organization: Organization, script: Script) -> None:
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: httpx2.Response(
        400,
        json={
            "error": {"message": "Could not finish the message because max_tokens or model output limit was reached."}
        },
    )
    report = asked("openai", organization=organization, probe=True)
    assert line(report, "probe").state is OK
    assert "not known" in line(report, "probe").text


@PROBED
def test_an_error_inside_a_good_status(organization: Organization, script: Script, rows: Rows) -> None:
    scripted = script("openrouter")
    body = OPENAI_CHAT | {"error": {"code": 502, "message": "Provider disconnected"}}
    scripted.by_path["/api/v1/chat/completions"] = lambda request: httpx2.Response(200, json=body)
    report = asked("openrouter", organization=organization, probe=True)
    assert (line(report, "probe").state, line(report, "probe").code) == (UNKNOWN, "overloaded")
    assert len(rows()) == 1


@PROBED
def test_no_probe_where_it_would_be_in_vain(organization: Organization, script: Script, rows: Rows) -> None:
    scripted = script("openrouter")
    scripted.key_facts(limit_remaining=0)
    assert "No test call was made" in line(asked("openrouter", organization=organization, probe=True), "probe").text
    scripted.at_key(httpx2.Response(401))
    assert line(asked("openrouter", organization=organization, probe=True), "probe").state is UNKNOWN
    scripted.key_facts()
    report = asked("openrouter", chat_models=[], organization=organization, probe=True)
    assert "no chat model" in line(report, "probe").text
    assert rows() == []
    assert all(request.method == "GET" for request in scripted.fake.sent)
    with pytest.raises(ValueError, match="organisation"):
        asked("openrouter", probe=True)


@PROBED
def test_the_organisations_choice_to_keep_no_detail_holds_for_a_probe(
    organization: Organization, script: Script, rows: Rows
) -> None:
    from byok.config.ai_config import save_ai_config

    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"], usage_tracking=False)
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: httpx2.Response(500, json={"error": {"message": "why"}})
    asked("openai", organization=organization, probe=True)
    (row,) = rows()
    assert row.error_message == ""
    assert ProviderCredential.objects.get().status == CredentialStatus.UNTESTED


def test_a_probes_body_is_never_larger_than_it_must_be() -> None:
    from byok.providers import REGISTRY

    for entry in REGISTRY.values():
        body = entry.probe("m").body
        assert set(body) - {"model", "messages"} in ({"max_tokens"}, {"max_completion_tokens"})
    assert ANTHROPIC_CHAT["usage"]


# --- The key stays hidden ---


def _echo(request: httpx2.Request) -> httpx2.Response:
    key = (request.headers.get("authorization") or request.headers["x-api-key"]).removeprefix("Bearer ")
    return httpx2.Response(
        401, json={"error": {"message": f"Incorrect API key provided: {key}."}}, headers={"x-k": key}
    )


ENDS: dict[str, Callable[[httpx2.Request], Answer]] = {
    "401 with the key": _echo,
    "success with the key": lambda request: httpx2.Response(
        200, json={"data": [{"id": str(request.headers.multi_items())}], "usage": 1}
    ),
    "500": lambda request: httpx2.Response(500, request=request),
    "timeout": lambda request: httpx2.ReadTimeout(f"slow {dict(request.headers)}", request=request),
    "reset": lambda request: httpx2.ReadError(f"reset {dict(request.headers)}", request=request),
    "no connection": lambda request: httpx2.ConnectError(f"refused {dict(request.headers)}", request=request),
    "illegal header": lambda request: httpx2.LocalProtocolError(f"Illegal header value {dict(request.headers)}"),
    "a bug": lambda request: RuntimeError(f"{dict(request.headers)}"),
    "redirect": lambda request: httpx2.Response(307, headers={"location": "https://stray.test"}, request=request),
    "cut while it was read": lambda request: httpx2.Response(
        200, stream=Body([b"{"], then=httpx2.ReadError(f"{dict(request.headers)}", request=request))
    ),
}


@PROBED
@WIRES
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("at", ["list", "probe"])
def test_the_key_stays_hidden(
    organization: Organization,
    script: Script,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    end: str,
    at: str,
) -> None:
    caplog.set_level("DEBUG")
    scripted = script(provider)
    if at == "list":
        scripted.fake.answer = ENDS[end]
    else:
        well = scripted._answer
        scripted.fake.answer = lambda request: ENDS[end](request) if request.method == "POST" else well(request)
    report = asked(provider, organization=organization, probe=True)
    complete(report)
    assert KEYS[provider] in str(scripted.fake.sent[0].headers.multi_items())
    assert holders_of(KEYS[provider], report) == []
    assert KEYS[provider] not in caplog.text
    assert not [row for row in UsageInbox.objects.all() if KEYS[provider] in json.dumps(row.payload)]
    outcome = asking.ask(provider, KEYS[provider], "/models", deadline=time.monotonic() + 5)
    assert holders_of(KEYS[provider], outcome) == []


@PROBED
@WIRES
def test_the_key_stays_hidden_after_success(organization: Organization, script: Script, provider: str) -> None:
    script(provider)
    report = asked(provider, organization=organization, probe=True)
    assert report.is_proved
    assert holders_of(KEYS[provider], report) == []
