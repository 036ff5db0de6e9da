"""A capability report where nothing is known: what could not be asked is no verdict on the key."""

import time
from collections.abc import Iterator

import httpx2
import pytest
from pytest_django import Settings

from byok.checking import asking
from byok.checking.connection import test_ai_connection as check
from byok.errors import AIError
from byok.models import CredentialStatus
from tests.byok.fake_provider import MODELS, Body, FakeProvider
from tests.byok.keys import KEYS
from tests.byok.scripted_provider import (
    EMBEDDINGS,
    KEY_FACTS,
    UNKNOWN,
    WIRES,
    Answer,
    Script,
    asked,
    complete,
    line,
    listing,
)

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
