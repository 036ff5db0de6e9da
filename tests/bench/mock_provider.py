"""A provider on loopback that costs next to nothing itself: `python -m tests.bench.mock_provider` prints its port.

The first part of a path says how many milliseconds the answer takes: `/200ms/openai/v1/chat/completions`.
It answers in OpenAI's or Anthropic's format, streamed where the request asks for that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

_USAGE = {"prompt_tokens": 400, "completion_tokens": 60, "total_tokens": 460}
_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 400, "output_tokens": 60},
}
_CHUNKS = 20


def _whole(body: Mapping[str, object]) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def _streamed() -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [head | {"choices": [delta], "usage": None}] * _CHUNKS
    events += [head | {"choices": [end], "usage": None}, head | {"choices": [], "usage": _USAGE}]
    body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    )


_OPENAI, _ANTHROPIC, _STREAM = _whole(_CHAT), _whole(_MESSAGE), _streamed()


class _Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1 for requests with a `Content-Length`, one after the other."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = bytes(self._received).partition(b"\r\n\r\n")
        if not end:
            return
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        if len(body) < length:
            return
        self._received.clear()
        path = head.split(b" ", 2)[1]
        wait = int(path.split(b"/")[1].removesuffix(b"ms"))
        if path.endswith(b"/messages"):
            answer = _ANTHROPIC
        else:
            answer = _STREAM if b'"stream":true' in body.replace(b" ", b"") else _OPENAI
        if wait:
            asyncio.get_running_loop().call_later(wait / 1000, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve() -> None:
    """Listen on a free port of the loopback address until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
