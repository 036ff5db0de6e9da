"""What a key's text asks for reaches the SDKs as the real services' failures do."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.sandbox.conftest import NewKey, Sandbox
from tests.sandbox.samples import LEAD

WIRES = ("openai", "anthropic", "openrouter")
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "openrouter": "deepseek/deepseek-chat"}
SDKS: dict[str, Any] = {"openai": openai, "anthropic": anthropic, "openrouter": openai}
MESSAGES: list[Any] = [{"role": "user", "content": LEAD}]


@dataclass(frozen=True)
class Caller:
    """Asks one wire's chat endpoint through its SDK."""

    wire: str
    client: Any

    def ask(self, *, stream: bool = False) -> Any:
        """The whole answer, or the list of streamed events."""
        if self.wire == "anthropic":
            made = self.client.messages.create(
                model=MODELS[self.wire], max_tokens=500, messages=MESSAGES, stream=stream
            )
        else:
            made = self.client.chat.completions.create(model=MODELS[self.wire], messages=MESSAGES, stream=stream)
        return list(made) if stream else made

    def list_models(self) -> list[str]:
        return [model.id for model in self.client.models.list()]


@pytest.fixture
def caller(sandbox: Sandbox) -> Callable[[str, str], Caller]:
    def make(wire: str, key: str) -> Caller:
        sdk = anthropic.Anthropic if wire == "anthropic" else openai.OpenAI
        return Caller(
            wire, sdk(api_key=key, base_url=sandbox.base_url(wire), http_client=sandbox.http, max_retries=0, timeout=5)
        )

    return make


Call = Callable[[str, str], Caller]
BILLING = {
    "openai": ("RateLimitError", 429, "insufficient_quota"),
    "anthropic": ("BadRequestError", 400, "credit balance is too low"),
    "openrouter": ("APIStatusError", 402, "Insufficient credits"),
}
OVERLOADED = {
    "openai": ("InternalServerError", 503, "overloaded"),
    "anthropic": ("OverloadedError", 529, "Overloaded"),
    "openrouter": ("InternalServerError", 503, "No instances available"),
}


def _same(name: str, status: int, *texts: str) -> dict[str, tuple[str, int, str]]:
    return {wire: (name, status, text) for wire, text in zip(WIRES, texts, strict=True)}


REFUSALS: dict[str, dict[str, tuple[str, int, str]]] = {
    "invalid": _same("AuthenticationError", 401, "Incorrect API key", "invalid x-api-key", "User not found"),
    "nocredit": BILLING,
    "keylimit": BILLING | {"openrouter": ("PermissionDeniedError", 403, "Key limit exceeded")},
    "ratelimit7": _same("RateLimitError", 429, "rate_limit_exceeded", "rate_limit_error", "Rate limit exceeded"),
    "overloaded": OVERLOADED,
    "forbidden": _same("PermissionDeniedError", 403, "unsupported_country", "permission_error", "flagged"),
    "servererror": _same("InternalServerError", 500, "server_error", "api_error", "Internal Server Error"),
}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("word", REFUSALS)
@pytest.mark.parametrize("stream", [False, True])
def test_refusals_raise_the_sdks_own_classes(
    sandbox: Sandbox, new_key: NewKey, caller: Call, wire: str, word: str, stream: bool
) -> None:
    name, status, text = REFUSALS[word][wire]
    key = new_key(wire, word)
    with pytest.raises(getattr(SDKS[wire], name)) as refused:
        caller(wire, key).ask(stream=stream)
    assert refused.value.status_code == status
    assert text in str(refused.value.body)
    assert key not in str(refused.value)
    assert refused.value.response.headers.get("retry-after") == ("7" if word == "ratelimit7" else None)
    (line,) = sandbox.recorded(key)
    assert (line["status"], line["usage"], line["kind"]) == (status, None, "chat")


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_lists_prove_no_credit_but_do_prove_the_key(new_key: NewKey, caller: Call, wire: str) -> None:
    assert caller(wire, new_key(wire, "nocredit")).list_models()
    with pytest.raises(SDKS[wire].AuthenticationError):
        caller(wire, new_key(wire, "invalid")).list_models()
    with pytest.raises(SDKS[wire].RateLimitError):
        caller(wire, new_key(wire, "ratelimit")).list_models()


def test_a_restricted_key_is_told_from_an_invalid_one(new_key: NewKey, caller: Call) -> None:
    restricted = caller("openai", new_key("openai", "noscope"))
    with pytest.raises(openai.AuthenticationError, match="Missing scopes") as refused:
        restricted.list_models()
    assert refused.value.code is None
    assert restricted.ask().choices


@pytest.mark.parametrize("wire", WIRES)
def test_a_key_of_another_shape_is_refused(caller: Call, new_key: NewKey, wire: str) -> None:
    foreign = [new_key(other) for other in WIRES if other != wire]
    wrong = [
        *foreign,
        "sk-admin-0123456789abcdef",
        "sk-ant-admin01-0123456789",
        "AIzaSyA-0123456789",
        "v1.nonce.c2VhbGVk==",
    ]
    for key in wrong:
        with pytest.raises(SDKS[wire].AuthenticationError):
            caller(wire, key).ask()


@pytest.mark.parametrize("wire", WIRES)
def test_a_request_without_a_key_is_refused_in_the_providers_shape(sandbox: Sandbox, wire: str) -> None:
    path = "/v1/messages" if wire == "anthropic" else "/chat/completions"
    answer = sandbox.http.post(f"{sandbox.base_url(wire)}{path}", json={})
    assert answer.status_code == 401
    shapes = {
        "openai": {"message", "type", "param", "code"},
        "anthropic": {"type", "message"},
        "openrouter": {"code", "message"},
    }
    assert set(answer.json()["error"]) == shapes[wire]
    assert (answer.json().get("type") == "error") is (wire == "anthropic")


@pytest.mark.parametrize("wire", WIRES)
def test_a_wrong_method_and_a_broken_body_are_refused(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    path = "/v1/messages" if wire == "anthropic" else "/chat/completions"
    url, key = f"{sandbox.base_url(wire)}{path}", new_key(wire)
    headers = {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
    assert sandbox.http.get(url, headers=headers).status_code == 405
    for content in (b"{", b"[]", b"\xff"):
        assert sandbox.http.post(url, headers=headers, content=content).status_code == 400
    assert sandbox.http.post(url, headers=headers, content=b" " * 3_000_000).status_code == 413
    assert [line["status"] for line in sandbox.recorded(key)] == [405, 400, 400, 400, 413]


@pytest.mark.parametrize("wire", WIRES)
def test_a_broken_answer_is_no_json_and_a_broken_stream_stops_short(
    sandbox: Sandbox, new_key: NewKey, caller: Call, wire: str
) -> None:
    key = new_key(wire, "broken")
    with pytest.raises(json.JSONDecodeError):
        caller(wire, key).ask()
    with pytest.raises((httpx2.RemoteProtocolError, SDKS[wire].APIConnectionError)):
        caller(wire, key).ask(stream=True)
    assert [line["status"] for line in sandbox.recorded(key)] == [200, 200]


@pytest.mark.parametrize("wire", WIRES)
def test_a_reset_connection_brings_no_answer_but_is_counted(
    sandbox: Sandbox, new_key: NewKey, caller: Call, wire: str
) -> None:
    key = new_key(wire, "reset")
    with pytest.raises(SDKS[wire].APIConnectionError):
        caller(wire, key).ask()
    assert len(sandbox.recorded(key)) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_slow_key_takes_its_time_whole_or_dripping(new_key: NewKey, caller: Call, wire: str) -> None:
    slow = caller(wire, new_key(wire, "slow1"))
    begun = time.monotonic()
    events = slow.ask(stream=True)
    assert time.monotonic() - begun >= 0.9
    assert len(events) > 3
    begun = time.monotonic()
    with pytest.raises(SDKS[wire].APITimeoutError):
        Caller(wire, slow.client.with_options(timeout=0.3)).ask()
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_huge_answer_is_valid_and_huge(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    path, body = ("/v1/messages", {"max_tokens": 5}) if wire == "anthropic" else ("/chat/completions", {})
    headers = {"authorization": f"Bearer {new_key(wire, 'huge')}", "anthropic-version": "2023-06-01"}
    answer = sandbox.http.post(
        f"{sandbox.base_url(wire)}{path}", headers=headers, json={"model": MODELS[wire], "messages": MESSAGES, **body}
    )
    assert len(answer.content) > 32 * 1024 * 1024
    assert answer.json()["id"]


def test_an_error_after_the_answer_began(new_key: NewKey, caller: Call, sandbox: Sandbox) -> None:
    key = new_key("openrouter", "errorin200")
    answer = caller("openrouter", key).ask()
    assert answer.choices[0].finish_reason == "error"
    assert answer.to_dict()["error"] == {"code": 502, "message": "Provider disconnected unexpectedly"}
    assert answer.usage.to_dict()["cost"] > 0
    with pytest.raises(openai.APIError, match="Provider disconnected"):
        caller("openrouter", key).ask(stream=True)
    assert [line["status"] for line in sandbox.recorded(key)] == [200, 200]
    with pytest.raises(openai.APIError, match="The server had an error"):
        caller("openai", new_key("openai", "errorin200")).ask(stream=True)
    with pytest.raises(openai.InternalServerError):
        caller("openai", new_key("openai", "errorin200")).ask()
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        caller("anthropic", new_key("anthropic", "errorin200")).ask(stream=True)
    with pytest.raises(anthropic.OverloadedError):
        caller("anthropic", new_key("anthropic", "errorin200")).ask()


def test_a_refusing_model_says_why_it_stopped(new_key: NewKey, caller: Call) -> None:
    for wire in ("openai", "openrouter"):
        assert caller(wire, new_key(wire, "refuse")).ask().choices[0].finish_reason == "content_filter"
    assert caller("anthropic", new_key("anthropic", "refuse")).ask().stop_reason == "refusal"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": "hello"},
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "hi"}]},
        {"messages": ["hello"]},
        {"tools": ["search"]},
        {"tools": [{"type": "function"}]},
        {"tool_choice": "sometimes"},
        {"max_tokens": "many"},
        {"messages": [{"role": "assistant", "tool_calls": [{}], "content": [{"type": "tool_use"}]}]},
    ],
)
def test_malformed_requests_are_refused_and_counted(
    sandbox: Sandbox, new_key: NewKey, wire: str, wrong: dict[str, Any]
) -> None:
    path = "/v1/messages" if wire == "anthropic" else "/chat/completions"
    key = new_key(wire)
    answer = sandbox.http.post(
        f"{sandbox.base_url(wire)}{path}",
        headers={"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"},
        json={"model": MODELS[wire], "max_tokens": 50, "messages": MESSAGES, **wrong},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert [line["status"] for line in sandbox.recorded(key)] == [400]


@pytest.mark.parametrize("wire", WIRES)
def test_a_key_can_be_revoked_on_the_way(caller: Call, new_key: NewKey, wire: str) -> None:
    client = caller(wire, new_key(wire, "revoked3"))
    for _ in range(3):
        client.list_models()
        client.ask()
    with pytest.raises(SDKS[wire].AuthenticationError):
        client.ask()
    # OpenRouter's list of models asks for no key.
    if wire != "openrouter":
        with pytest.raises(SDKS[wire].AuthenticationError):
            client.list_models()


@pytest.mark.parametrize("wire", WIRES)
def test_a_model_can_be_gone_while_another_is_spared(caller: Call, new_key: NewKey, wire: str) -> None:
    model = MODELS[wire]
    gone = caller(wire, new_key(wire, "gone"))
    with pytest.raises(SDKS[wire].NotFoundError, match=model):
        gone.ask()
    letters = "".join(filter(str.isalpha, model.rpartition("/")[2].partition("-")[0]))
    assert caller(wire, new_key(wire, "gone", f"spare{letters}")).ask()
    other = caller(wire, new_key(wire, "overloaded", "sparesomethingelse"))
    with pytest.raises(SDKS[wire].APIStatusError):
        other.ask()
    # The key itself and the lists answer, so that the key can be saved.
    assert model in other.list_models()
