"""Reading usage from a provider's answer while its bytes pass by, streamed or whole."""

from __future__ import annotations

from typing import Any

from byok.calls.json_answers import json_object
from byok.providers import Provider

# Larger answers pass through, but are not kept for reading: their usage is then unknown.
MAX_BODY = 32 * 1024 * 1024
MAX_EVENT = 1024 * 1024


class AnswerReader:
    """Feed it every chunk; `result` is the answer's JSON as far as accounting needs it, or None.

    Streams are folded event by event, so that memory stays small however long they run.
    """

    def __init__(self, provider: Provider, *, is_stream: bool) -> None:
        self._provider = provider
        self._is_stream = is_stream
        self._buffer = bytearray()
        self._overflow = False
        self._folded: dict[str, Any] = {}
        # A stream's figures are final: what comes after is only its closing.
        self.is_final = False

    def feed(self, chunk: bytes) -> None:
        if self._overflow:
            return
        self._buffer += chunk
        # An event that comes byte by byte is looked at when its line has ended, not anew with each of them.
        if self._is_stream and b"\n" in chunk:
            self._read_events()
        if len(self._buffer) > (MAX_EVENT if self._is_stream else MAX_BODY):
            self._overflow = True
            self._buffer.clear()

    @property
    def answer_id(self) -> str:
        """What the provider calls a stream's answer, once its first event has told it."""
        told = self._folded.get("id")
        return told if isinstance(told, str) else ""

    @property
    def was_cut(self) -> bool:
        """The answer is a stream that stopped before its figures came."""
        return self._is_stream and not self.is_final

    def result(self) -> dict[str, Any] | None:
        """The answer as a JSON object; None when it is no such thing."""
        if self._is_stream:
            return self._folded or None
        return json_object(self._buffer)

    def _read_events(self) -> None:
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:") and self._matters(line):
                self._fold(line.removeprefix(b"data:").strip())

    def _matters(self, line: bytes) -> bool:
        # Most events carry a few characters of text. Only the first, and those that can
        # hold figures or an error, are worth parsing.
        return not self._folded or b'"error"' in line or (b'"usage"' in line and b'"usage":null' not in line)

    def _fold(self, data: bytes) -> None:
        event = json_object(data)
        if event is not None and self._provider.fold_stream_event(self._folded, event):
            self.is_final = True
