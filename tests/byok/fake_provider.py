"""What providers answer, by a transport that stands where the shared connections stand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import httpx2

from byok.resolver import TenantModel

Answer = httpx2.Response | BaseException | type[BaseException]

OPENAI_CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "total_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 100},
    },
}
OPENROUTER_CHAT: dict[str, Any] = OPENAI_CHAT | {
    "id": "gen-1",
    "model": "openai/gpt-4o-mini",
    "provider": "OpenAI",
    "usage": OPENAI_CHAT["usage"] | {"cost": 0.00123},
}
ANTHROPIC_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 50,
}
ANTHROPIC_CHAT: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": ANTHROPIC_USAGE,
}
CHAT = {"openai": OPENAI_CHAT, "openrouter": OPENROUTER_CHAT, "anthropic": ANTHROPIC_CHAT}
EMBEDDINGS: dict[str, Any] = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
MODELS = {"openai": "gpt-4o-mini", "openrouter": "openai/gpt-4o-mini", "anthropic": "claude-haiku-4-5"}


def _openai_events(final: dict[str, Any]) -> list[bytes]:
    head = {"id": final["id"], "object": "chat.completion.chunk", "created": 1, "model": final["model"]}
    events: list[dict[str, Any]] = [
        head | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}], "usage": None}
        for text in ("Hel", "lo")
    ]
    events.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
    events.append(head | {"choices": [], "usage": final["usage"]})
    return [
        b": OPENROUTER PROCESSING\n\n",
        *(b"data: %s\n\n" % json.dumps(e).encode() for e in events),
        b"data: [DONE]\n\n",
    ]


def _anthropic_events() -> list[bytes]:
    begun = ANTHROPIC_CHAT | {"content": [], "stop_reason": None, "usage": ANTHROPIC_USAGE | {"output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 50},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


STREAM = {
    "openai": _openai_events(OPENAI_CHAT),
    "openrouter": _openai_events(OPENROUTER_CHAT),
    "anthropic": _anthropic_events(),
}


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Chunks one by one, then perhaps an error. Knows whether it was closed."""

    def __init__(self, chunks: Iterable[bytes], *, then: BaseException | None = None) -> None:
        self.chunks, self.then = list(chunks), then
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.then is not None:
            raise self.then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self.then is not None:
            raise self.then

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def streamed(chunks: Iterable[bytes], *, then: BaseException | None = None) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body(chunks, then=then))


class FakeProvider(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers every request with `answer`, and remembers what arrived."""

    def __init__(self) -> None:
        self.sent: list[httpx2.Request] = []
        self.answer: Callable[[httpx2.Request], Answer] = lambda request: httpx2.Response(500)
        # Seconds that an async answer takes.
        self.delay = 0.0

    def answers(self, status: int = 200, body: Any = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = lambda request: httpx2.Response(
            status, headers={"content-type": "application/json", **named}, content=content
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.sent.append(request)
        answer = self.answer(request)
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.sent.append(request)
        await asyncio.sleep(self.delay)
        answer = self.answer(request)
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer

    @property
    def body(self) -> Any:
        """The JSON of the latest request."""
        return json.loads(self.sent[-1].content)


def arguments(model: TenantModel) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hello"}]
    limit = {"max_tokens": 16} if model.provider == "anthropic" else {}
    return {"model": model.model_id, "messages": messages, **limit}


def create(client: Any, model: TenantModel, **more: Any) -> Any:
    """The SDK's chat call of either family; what it returns is awaited where the client is async."""
    if model.provider == "anthropic":
        return client.messages.create(**arguments(model), **more)
    return client.chat.completions.create(**arguments(model), **more)


def chat(model: TenantModel, **more: Any) -> Any:
    """One chat call through the official SDK."""
    return create(model.client(), model, **more)


async def chat_async(model: TenantModel, **more: Any) -> Any:
    return await create(model.async_client(), model, **more)
