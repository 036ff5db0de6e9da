"""The provider's own count: one line per request, whichever process served it, and no secrets in it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from pytest_django.fixtures import Settings

from leadagent.sandbox import record
from tests.sandbox.conftest import NewKey, Sandbox

SECRET = "the lead's private words"


def _ask(sandbox: Sandbox, key: str, **body: Any) -> httpx2.Response:
    return sandbox.http.post(
        f"{sandbox.openai_url}/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": SECRET}], **body},
    )


def test_concurrent_requests_to_several_processes_are_each_counted_once(sandbox: Sandbox, new_key: NewKey) -> None:
    key = new_key("openai")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: _ask(sandbox, key), range(120)))
    lines = sandbox.recorded(key)
    assert len(lines) == 120
    everything = sandbox.http.get(f"{sandbox.url}/requests").json()
    assert 120 <= everything["generations"] <= everything["count"]
    assert {line["id"] for line in lines} == {answer.json()["id"] for answer in answers}
    assert {line["request_id"] for line in lines} == {answer.headers["x-request-id"] for answer in answers}


def test_neither_key_nor_prompt_is_written(sandbox: Sandbox, new_key: NewKey) -> None:
    key = new_key("openai")
    _ask(sandbox, key)
    _ask(sandbox, key, model="gpt-9")
    written = sandbox.record_file.read_text()
    assert key not in written
    assert SECRET not in written
    assert [line["key_last4"] for line in sandbox.recorded(key)] == [key[-4:]] * 2
    assert [(line["status"], line["model"]) for line in sandbox.recorded(key)] == [(200, "gpt-4o-mini"), (404, "gpt-9")]


def test_the_list_is_filtered_by_time_kind_and_wire(sandbox: Sandbox, new_key: NewKey) -> None:
    key = new_key("openai")
    _ask(sandbox, key)
    between = datetime.now(UTC)
    sandbox.http.get(f"{sandbox.openai_url}/models", headers={"authorization": f"Bearer {key}"})
    for since in (between.isoformat(), between.timestamp(), between.strftime("%Y-%m-%dT%H:%M:%S.%f")):
        assert [line["kind"] for line in sandbox.recorded(key, since=str(since))] == ["models"]
    assert [line["kind"] for line in sandbox.recorded(key, kind="chat")] == ["chat"]
    assert sandbox.recorded(key, wire="anthropic") == []
    assert sandbox.http.get(f"{sandbox.url}/requests", params={"since": "yesterday"}).status_code == 400


def test_deleting_empties_the_list(settings: Settings, tmp_path: Path) -> None:
    settings.SANDBOX_RECORD_FILE = str(tmp_path / "requests.jsonl")
    line = {
        "time": datetime.now(UTC).isoformat(),
        "id": "gen-1",
        "key_sha256": "",
        "kind": "chat",
        "wire": "openrouter",
    }
    record.append({**line, "usage": {"cost": "0.5"}})
    record.note_cancelled("gen-1", {"cost": "0.25"})
    assert [(entry["cancelled"], entry["usage"]) for entry in record.entries()] == [(True, {"cost": "0.25"})]
    record.empty()
    assert record.entries() == []
    record.append({**line, "usage": None})
    assert ["cancelled" in entry for entry in record.entries()] == [False]


def test_a_line_still_being_written_is_left_for_later(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    settings.SANDBOX_RECORD_FILE = str(path)
    whole = {"time": datetime.now(UTC).isoformat(), "id": "a", "key_sha256": "", "kind": "chat", "wire": "openai"}
    path.write_text(json.dumps(whole) + '\n{"time": "20')
    assert [entry["id"] for entry in record.entries()] == ["a"]


def test_nothing_is_recorded_without_a_file(settings: Settings) -> None:
    settings.SANDBOX_RECORD_FILE = ""
    record.append({"id": "a"})
    record.note_cancelled("a", {})
    record.empty()
    assert record.entries() == []
