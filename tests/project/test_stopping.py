"""A web process that is told to stop answers who is being served, streams to their end, and lets nobody else in after."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.project.running_web import running_web

SECONDS = 3


@pytest.mark.network_loopback
def test_answers_and_streams_that_have_begun_end_whole(tmp_path: Path) -> None:
    env = os.environ | {
        "LEADAGENT_ENV": "demo",
        "PUBLIC_URL": "http://127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1",
        # A provider inside the web process takes its time: nothing of ours knows that it is one.
        "SANDBOX_ENABLED": "1",
        "SANDBOX_RECORD_FILE": str(tmp_path / "record.jsonl"),
        "WEB_DRAIN_SECONDS": "0",
    }
    answers: dict[bool, httpx2.Response] = {}

    def ask(port: str, *, stream: bool) -> None:
        answers[stream] = httpx2.post(
            f"http://127.0.0.1:{port}/sandbox/openai/v1/chat/completions",
            headers={"Authorization": f"Bearer sk-proj-slow{SECONDS}-0123456789abcdef"},
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], "stream": stream},
            timeout=30,
            trust_env=False,
        )

    with running_web(env) as (port, process):
        wait_for(lambda: is_up(port))
        asking = [threading.Thread(target=ask, args=(port,), kwargs={"stream": stream}) for stream in (False, True)]
        for thread in asking:
            thread.start()
        time.sleep(1)
        assert not answers, "they are still being served"
        process.terminate()
        for thread in asking:
            thread.join(20)
    assert not is_up(port)
    assert answers[False].status_code == 200
    assert answers[False].json()["choices"][0]["message"]["content"]
    events = [line.removeprefix("data: ") for line in answers[True].text.splitlines() if line]
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["object"] == "chat.completion.chunk"


def is_up(port: str) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)
