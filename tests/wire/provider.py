"""aimock as one provider: a process with a key of its own, told what to answer and asked what it was sent."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests import aimock, node
from tests.byok.keys import KEYS

SEEDED = Path(__file__).with_name("seeded_random.cjs")
# Below the server's address, as each SDK expects it.
BASE_PATHS = {"openai": "/v1", "anthropic": "", "openrouter": "/api/v1"}
CHAT_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "openrouter": "/api/v1/chat/completions"}
# What only the tests hold: it opens aimock's own pages.
_CONTROL_KEY = "control-key-of-the-tests"


@dataclass(frozen=True)
class Call:
    """One request as aimock's journal has it. `status` 0: it hung up. `told` are the figures that it answered with."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    status: int
    told: Mapping[str, Any]
    answer_id: str
    chaos: str
    was_cut: bool

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Call":
        answer = entry["response"]
        told = (answer.get("fixture") or {}).get("response") or {}
        return cls(
            path=entry["path"],
            headers=entry["headers"],
            body=entry["body"] or {},
            status=answer["status"],
            told=told.get("usage") or {},
            answer_id=told.get("id") or "",
            chaos=answer.get("chaosAction") or "",
            was_cut=bool(answer.get("interrupted")),
        )

    @property
    def request_id(self) -> str:
        """What aimock called the request in its answer's header."""
        return self.headers["x-request-id"]


class Aimock:
    """One running aimock. It accepts the key of its provider and no other."""

    def __init__(self, provider: str, address: str) -> None:
        self.provider = provider
        self.key = KEYS[provider]
        self.address = address
        self.base_url = address + BASE_PATHS[provider]
        # aimock closes a quiet connection after five seconds: none is kept for the next question.
        self._http = httpx2.Client(
            base_url=address,
            headers={"authorization": f"Bearer {_CONTROL_KEY}"},
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def forget(self) -> None:
        """Begin anew: no answers, no chaos, an empty journal."""
        self._ask("POST", "/__aimock/reset")
        self._ask("DELETE", "/__aimock/chaos")

    def answers(self, *fixtures: Mapping[str, Any]) -> None:
        """Add answers; of those that match a request the first counts."""
        self._ask("POST", "/__aimock/fixtures", {"fixtures": fixtures})

    def answers_only(self, *fixtures: Mapping[str, Any]) -> None:
        """Give these answers in place of all former ones."""
        self._ask("DELETE", "/__aimock/fixtures")
        self.answers(*fixtures)

    def fails(self, **rates: float) -> None:
        """Chaos, as shares of the requests: dropRate (500), malformedRate, rateLimitRate (429), disconnectRate."""
        self._ask("POST", "/__aimock/chaos", rates)

    def is_well_again(self) -> None:
        self._ask("DELETE", "/__aimock/chaos")

    @property
    def calls(self) -> list[Call]:
        """What was asked of a model, oldest first. Requests with a wrong key are not among them: see `counted`."""
        return [Call.of(entry) for entry in self._ask("GET", "/__aimock/journal").json() if entry["method"] == "POST"]

    def counted(self) -> Counter[int]:
        """aimock's own counters since it was started: how often it answered with which status, its own pages aside.

        Status 0: there was nobody to answer any more.
        """
        pattern = r'aimock_requests_total\{method="\w+",path="([^"]+)",status="(\w+)"\} (\d+)'
        found = re.findall(pattern, self._ask("GET", "/metrics").text)
        counted: Counter[int] = Counter()
        for path, status, times in found:
            if not path.startswith(("/__aimock", "/metrics")):
                counted[int(status) if status.isdecimal() else 0] += int(times)
        return counted

    def _ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        answer = self._http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer


@contextmanager
def running(provider: str, place: Path, *, seed: int = 1) -> Generator[Aimock, None, None]:
    """Start aimock as `provider` on a free port; `place` is an empty directory for its output."""
    program = aimock.find()
    assert program is not None, "aimock is missing: `make aimock` brings it."
    no_answers = place / "answers"
    no_answers.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "AIMOCK_API_KEYS": f"{KEYS[provider]},{_CONTROL_KEY}",
        "AIMOCK_SEED": str(seed),
    }
    command = [
        *(node.node(), "--require", str(SEEDED), str(program)),
        *("--port", "0", "--fixtures", str(no_answers), "--metrics", "--journal-max", "0"),
    ]
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        made = Aimock(provider, _address(process))
        try:
            yield made
        finally:
            made.close()
    finally:
        process.kill()
        process.communicate(timeout=10)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
            return found[1]
    raise AssertionError(f"aimock did not start: {''.join(said)}")
