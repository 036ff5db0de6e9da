"""The sandbox as the product meets it: served by gunicorn over HTTP, in processes of its own.

PostgreSQL and Redis are closed ports there, so every test also shows that it needs neither.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIXES = {"openai": "sk-proj-", "anthropic": "sk-ant-api03-", "openrouter": "sk-or-v1-"}
NewKey = Callable[..., str]


@dataclass(frozen=True)
class Sandbox:
    """The served sandbox: its base URLs and a plain HTTP client."""

    url: str
    record_file: Path
    http: httpx2.Client

    @property
    def openai_url(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def anthropic_url(self) -> str:
        return f"{self.url}/anthropic"

    @property
    def openrouter_url(self) -> str:
        return f"{self.url}/openrouter/api/v1"

    def base_url(self, wire: str) -> str:
        return {"openai": self.openai_url, "anthropic": self.anthropic_url, "openrouter": self.openrouter_url}[wire]

    def recorded(self, key: str, **filters: str) -> list[dict[str, Any]]:
        """What the sandbox recorded for a key, oldest first."""
        params = {"key_sha256": sha256(key.encode()).hexdigest(), **filters}
        answer = self.http.get(f"{self.url}/requests", params=params).raise_for_status().json()
        assert answer["count"] == len(answer["requests"])
        requests: list[dict[str, Any]] = answer["requests"]
        return requests


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    place = tmp_path_factory.mktemp("sandbox")
    record_file = place / "requests.jsonl"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        environment = os.environ | {
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "SANDBOX_ENABLED": "1",
            "SANDBOX_RECORD_FILE": str(record_file),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ALLOWED_HOSTS": "127.0.0.1",
        }
        command = [
            *(sys.executable, "-m", "gunicorn", "leadagent.wsgi", "--bind", f"fd://{listener.fileno()}"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload", "--no-control-socket"),
            *("--log-level", "warning", "--worker-tmp-dir", str(place)),
        ]
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()], start_new_session=True
        )
    try:
        with httpx2.Client(timeout=10, trust_env=False) as http:
            served = Sandbox(f"http://127.0.0.1:{port}/sandbox", record_file, http)
            _wait_until_up(server, served)
            yield served
    finally:
        # Its own session, so that no worker outlives it; a polite end would wait for kept-alive connections.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=10)


def _wait_until_up(server: subprocess.Popen[bytes], served: Sandbox) -> None:
    for _ in range(300):
        assert server.poll() is None, "the sandbox's web server did not start"
        try:
            served.http.get(f"{served.url}/requests").raise_for_status()
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("the sandbox did not answer within 30 seconds")


@pytest.fixture
def new_key() -> NewKey:
    """Make a key of a wire's shape that no other test uses; further words ask for misbehaviour."""

    def make(wire: str, *words: str) -> str:
        return PREFIXES[wire] + "-".join([*words, token_hex(8)])

    return make
