"""Who gets in: callers on this machine, without cookies or CSRF tokens, and no one else."""

from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from leadagent.sandbox import anthropic_wire, openai_wire, openrouter_wire, views
from leadagent.sandbox.gate import is_local
from leadagent.sandbox.keys import has_shape, read_modes
from tests.sandbox.conftest import Sandbox

KEY = "sk-or-v1-0123456789abcdef"


@pytest.fixture(autouse=True)
def record_file(settings: Settings, tmp_path: Path) -> Path:
    settings.SANDBOX_RECORD_FILE = str(tmp_path / "requests.jsonl")
    return tmp_path / "requests.jsonl"


@pytest.mark.parametrize(
    ("meta", "local"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "127.8.9.1"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": "10.0.0.1"}, False),
        ({"REMOTE_ADDR": "0.0.0.0"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=192.0.2.7"}, False),
    ],
)
def test_only_this_machine_counts_as_local(meta: dict[str, str], local: bool) -> None:
    assert is_local(RequestFactory().get("/", **meta)) is local  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "view",
    [
        openai_wire.chat_completions,
        openai_wire.embeddings,
        openai_wire.models,
        anthropic_wire.messages,
        anthropic_wire.models,
        openrouter_wire.chat_completions,
        openrouter_wire.models,
        openrouter_wire.key,
        openrouter_wire.generation,
        views.requests,
    ],
)
def test_callers_from_elsewhere_find_nothing_and_leave_no_line(view: Any, record_file: Path) -> None:
    for method in ("GET", "POST", "DELETE"):
        request = RequestFactory().generic(method, "/", REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=f"Bearer {KEY}")
        assert view(request).status_code == 404
    assert not record_file.exists()


def test_no_csrf_token_is_asked_for_and_no_cookie_is_set(sandbox: Sandbox) -> None:
    answer = sandbox.http.post(
        f"{sandbox.openrouter_url}/chat/completions",
        json={"model": "deepseek/deepseek-chat", "messages": [{"role": "user", "content": "hi"}]},
        headers={"authorization": f"Bearer {KEY}"},
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert len(sandbox.recorded(KEY)) == 1
    assert sandbox.http.delete(f"{sandbox.url}/requests").status_code == 204
    assert sandbox.recorded(KEY) == []
    assert sandbox.http.put(f"{sandbox.url}/requests").status_code == 405


def test_it_serves_while_database_and_redis_are_away(sandbox: Sandbox) -> None:
    root = sandbox.url.removesuffix("/sandbox")
    assert sandbox.http.get(f"{root}/readyz").status_code == 503
    assert sandbox.http.get(f"{sandbox.openrouter_url}/models").status_code == 200


@pytest.mark.parametrize(
    ("key", "wire"),
    [
        ("sk-0123456789", "openai"),
        ("sk-proj-0123456789", "openai"),
        ("sk-svcacct-0123456789", "openai"),
        ("sk-ant-api03-0123456789", "anthropic"),
        ("sk-or-v1-0123456789", "openrouter"),
        ("sk-admin-0123456789", ""),
        ("sk-ant-admin01-0123456789", ""),
        ("sk-or-0123456789 ", ""),
        ("sk-", ""),
        ("v1.bm9uY2U.Y2lwaGVydGV4dA==", ""),
    ],
)
def test_each_key_fits_at_most_one_wire(key: str, wire: str) -> None:
    assert [name for name in ("openai", "anthropic", "openrouter") if has_shape(name, key)] == [wire] * bool(wire)


def test_modes_are_read_from_the_key() -> None:
    modes = read_modes("sk-or-v1-SLOW30-ratelimit7-broken-0af3")
    assert modes.words == {"slow", "ratelimit", "broken"}
    assert (modes.slow_seconds, modes.retry_after) == (30, 7)
    assert (read_modes("sk-slow").slow_seconds, read_modes("sk-ratelimit").retry_after) == (3, 2)
    assert read_modes(KEY).words == frozenset()
