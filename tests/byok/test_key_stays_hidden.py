"""The key is on the wire and nowhere else: not in what a caller can reach after a call, however it ended."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from byok.errors import AIError, translated
from byok.resolver import TenantModel
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import CHAT, STREAM, Body, FakeProvider, chat, chat_async, create, streamed
from tests.byok.key_holders import holders_of
from tests.byok.keys import KEYS
from usage.models import UsageInbox

pytestmark = pytest.mark.django_db


def test_the_search_finds_a_key_that_is_there() -> None:
    """Without this one the others would prove little."""
    request = httpx2.Request("POST", "https://x.test", headers={"authorization": "Bearer needle-in-it"})
    client = httpx2.Client(headers={"x-api-key": "needle-in-it"})
    assert holders_of("needle-in-it", client)
    error = httpx2.ReadError("failed", request=request)
    assert holders_of("needle-in-it", error)
    outer = ValueError("outer")
    outer.__context__ = error
    assert holders_of("needle-in-it", outer)
    assert holders_of("needle-in-it", lambda: request)
    client.close()


def call(model: TenantModel, way: str, **more: Any) -> tuple[Any, Any]:
    """The client and what came of it: an answer, or the exception."""
    client: Any = model.client() if way == "sync" else model.async_client()

    async def awaited() -> Any:
        answer = await create(client, model, **more)
        return [event async for event in answer] if more.get("stream") else answer

    try:
        if way == "sync":
            answer = create(client, model, **more)
            return client, list(answer) if more.get("stream") else answer
        return client, asyncio.run(awaited())
    except Exception as exc:
        return client, exc


def _echo(request: httpx2.Request) -> httpx2.Response:
    """A provider that repeats the key in its refusal, and in headers too."""
    key = (request.headers.get("authorization") or request.headers["x-api-key"]).removeprefix("Bearer ")
    body = {"error": {"type": "authentication_error", "message": f"Incorrect API key provided: {key}."}}
    return httpx2.Response(401, json=body, headers={"x-request-id": key, "x-echo": key})


def _cut(request: httpx2.Request) -> httpx2.Response:
    return streamed([b"data: {}\n\n"], then=httpx2.ReadError("reset", request=request))


ENDS: dict[str, Any] = {
    "401 with the key": _echo,
    "500": lambda request: httpx2.Response(500, request=request),
    "read timeout": lambda request: httpx2.ReadTimeout(f"slow {dict(request.headers)}", request=request),
    "reset": lambda request: httpx2.ReadError(f"reset {dict(request.headers)}", request=request),
    "no connection": lambda request: httpx2.ConnectError("refused", request=request),
    "illegal header": lambda request: httpx2.LocalProtocolError(f"Illegal header value {dict(request.headers)}"),
    "a bug": lambda request: RuntimeError(f"{dict(request.headers)}"),
    "redirect": lambda request: httpx2.Response(307, headers={"location": "https://stray.test"}, request=request),
    "bad JSON": lambda request: httpx2.Response(200, content=b"{", headers={"content-type": "application/json"}),
    "cut while it was read": lambda request: httpx2.Response(
        200,
        headers={"content-type": "application/json"},
        stream=Body([b"{"], then=httpx2.ReadError("reset", request=request)),
    ),
}


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("end", ENDS)
def test_after_a_failure(
    tenant: Tenant, fake: FakeProvider, caplog: pytest.LogCaptureFixture, provider: str, way: str, end: str
) -> None:
    fake.answer = ENDS[end]
    client, error = call(tenant(provider), way)
    assert isinstance(error, Exception)
    assert KEYS[provider] in str(fake.sent[0].headers.multi_items())
    assert holders_of(KEYS[provider], error, client) == []
    with pytest.raises(AIError) as ours, translated(provider):
        raise error
    assert holders_of(KEYS[provider], ours.value) == []
    assert KEYS[provider] not in caplog.text
    assert not [row for row in UsageInbox.objects.all() if KEYS[provider] in json.dumps(row.payload)]


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("stream", [False, True])
def test_after_success(tenant: Tenant, fake: FakeProvider, provider: str, way: str, stream: bool) -> None:
    if stream:
        fake.answer = lambda request: streamed(STREAM[provider])
    else:
        fake.answers(200, CHAT[provider])
    model = tenant(provider)
    client, answer = call(model, way, **({"stream": True} if stream else {}))
    assert not isinstance(answer, Exception)
    assert holders_of(KEYS[provider], client, answer, model, model.context) == []


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_after_a_stream_was_cut(tenant: Tenant, fake: FakeProvider, provider: str, way: str) -> None:
    fake.answer = _cut
    client, error = call(tenant(provider), way, stream=True)
    assert isinstance(error, Exception)
    assert holders_of(KEYS[provider], error, client) == []


@pytest.mark.parametrize("provider", KEYS)
def test_after_a_cancelled_call(tenant: Tenant, fake: FakeProvider, provider: str) -> None:
    fake.delay = 30
    model = tenant(provider)

    async def cancelled() -> BaseException:
        task = asyncio.create_task(chat_async(model))
        while not fake.sent:
            await asyncio.sleep(0.005)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as exc:
            return exc
        raise AssertionError("it went on")

    assert holders_of(KEYS[provider], asyncio.run(cancelled())) == []


@pytest.mark.parametrize("provider", KEYS)
def test_the_echo_of_a_key_is_taken_out_of_body_and_headers(tenant: Tenant, fake: FakeProvider, provider: str) -> None:
    fake.answer = _echo
    with pytest.raises(Exception, match="Incorrect API key provided: ") as raised:
        chat(tenant(provider))
    response = raised.value.response  # type: ignore[attr-defined]  # an SDK's status error
    assert KEYS[provider] not in response.text
    assert "[key removed]" in response.text
    assert "x-echo" not in response.headers


@pytest.mark.parametrize("provider", KEYS)
def test_the_pydantic_ai_model_holds_no_key(tenant: Tenant, fake: FakeProvider, provider: str) -> None:
    from pydantic_ai import Agent

    def answer(request: httpx2.Request) -> httpx2.Response:
        streams = json.loads(request.content).get("stream")
        return streamed(STREAM[provider]) if streams else httpx2.Response(200, json=CHAT[provider])

    fake.answer = answer
    model = tenant(provider).model()
    agent = Agent(model)
    result = asyncio.run(agent.run("Hello"))
    assert result.output == "Hello"
    assert holders_of(KEYS[provider], model, result) == []
