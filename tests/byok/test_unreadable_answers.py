"""Answers that nobody can read end as an error in our words and with a usage row, not as a failure of ours."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from byok.calls.answers import AnswerReader
from byok.calls.json_answers import json_object
from byok.calls.reading_errors import is_reading_error
from byok.errors import AIError, translated
from byok.providers import REGISTRY
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import OPENAI_CHAT, FakeProvider, chat, streamed
from tests.byok.keys import KEYS
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
DEEP = b"[" * 100_000


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"a": \xff}', DEEP, b'{"a":' * 100_000, b"1" * 10_000])
def test_only_an_object_is_an_object(raw: bytes) -> None:
    assert json_object(raw) is None
    assert json_object(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("provider", ["openai", "anthropic", "openrouter"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_nested_without_end(
    provider: str, status: int, tenant: Tenant, fake: FakeProvider, rows: Rows
) -> None:
    model = tenant(provider)
    fake.answers(status, DEEP)
    with pytest.raises(AIError) as caught, translated(provider):
        chat(model)
    assert caught.value.code == ("bad_response" if status == 200 else "overloaded")
    [row] = rows()
    assert (row.success, row.total_tokens) == (False, 0)


@pytest.mark.parametrize("piece", [b"data: \xff\xfe\n\n", b"data: " + DEEP + b"\n\n"])
def test_a_stream_with_a_piece_that_is_no_text(piece: bytes, tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    model = tenant("openai")
    fake.answer = lambda request: streamed([piece])
    with pytest.raises(AIError) as caught, translated("openai"):
        list(chat(model, stream=True))
    assert caught.value.code == "bad_response"
    assert len(rows()) == 1


def test_a_header_that_is_not_ascii(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    """It broke the answer's way back after the call was billed, and the call was left without its row."""
    model = tenant("openai")
    body = json.dumps(OPENAI_CHAT).encode()
    headers = [(b"content-type", b"application/json"), (b"x-request-id", b"r\xe9q")]
    fake.answer = lambda request: httpx2.Response(200, headers=headers, content=body)
    assert chat(model).choices[0].message.content == "Hello"
    [row] = rows()
    assert (row.success, row.total_tokens) == (True, 1500)


def test_an_event_in_crumbs_is_not_read_anew_with_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte that came byte by byte kept a worker busy for hours."""
    looks: list[int] = []
    reader = AnswerReader(REGISTRY["openai"], is_stream=True)
    read = reader._read_events

    def look() -> None:
        looks.append(1)
        read()

    monkeypatch.setattr(reader, "_read_events", look)
    for byte in b'data: {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 3}}\n\n':
        reader.feed(bytes([byte]))
    assert len(looks) == 2
    assert (reader.result() or {})["usage"] == {"prompt_tokens": 3}


@pytest.mark.parametrize(
    "stated",
    [
        *({"prompt_tokens": count} for count in (2**63, 10**30, 2_000_000_000)),
        {"completion_tokens_details": {"reasoning_tokens": 10**30}},
        {"prompt_tokens_details": {"cached_tokens": 10**30}},
    ],
)
def test_more_tokens_than_can_be(stated: dict[str, Any], tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    """No column holds so many: the event was put aside, and the call had no row."""
    model = tenant("openai")
    fake.answers(200, OPENAI_CHAT | {"usage": OPENAI_CHAT["usage"] | stated})
    assert chat(model).choices[0].message.content == "Hello"
    [row] = rows()
    assert (row.success, row.total_tokens, row.cost) == (True, 0, None)


@pytest.mark.parametrize("cost", [10**8, 10**30, "1e11", "Infinity", -1])
def test_a_cost_that_cannot_be(cost: object, tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    """No column holds so much: the event was put aside, and the call had no row."""
    model = tenant("openrouter")
    fake.answers(200, OPENAI_CHAT | {"usage": OPENAI_CHAT["usage"] | {"cost": cost}})
    assert chat(model).choices[0].message.content == "Hello"
    [row] = rows()
    assert (row.success, row.total_tokens, row.actual_cost) == (True, 1500, None)


def test_our_own_mistakes_stay_what_they_are() -> None:
    mistakes: list[Callable[[], Any]] = [lambda: KEYS.nothing, lambda: KEYS["a"], lambda: int("x")]  # type: ignore[attr-defined]
    for mistake in mistakes:
        with pytest.raises((ValueError, AttributeError, KeyError)) as caught, translated("openai"):
            mistake()
        assert not is_reading_error(caught.value)
