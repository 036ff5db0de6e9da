"""The product as a person starts it: `python -m leadagent.embedded serve` from an empty state directory."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import psycopg
import redis

REPOSITORY = Path(__file__).resolve().parents[1]
START_SECONDS = 120
WORKFLOW_SECONDS = 60

# The outer test run's own servers and settings must not reach the product under test.
_KEPT_NAMES = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass
class Served:
    """A running product with its address, its demo password and its state directory."""

    address: str
    password: str
    state: Path
    output: list[str] = field(default_factory=list)
    runner_pid: int = 0

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the product's own database."""
        host = str(self.state / "sockets" / "postgres")
        with psycopg.connect(host=host, user="leadagent", dbname="leadagent") as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def environment(self) -> dict[str, str]:
        """What the product's own processes were given, to run another one beside them."""
        # Listed per thread: the runner starts each process from one of its own.
        lists = Path(f"/proc/{self.runner_pid}/task").glob("*/children")
        for pid in [pid for listed in lists for pid in listed.read_text().split()]:
            entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            found = dict(entry.split("=", 1) for entry in entries if "=" in entry)
            if {"SECRET_KEY", "DATABASE_URL"} <= found.keys():
                return found
        raise AssertionError("no process of the product has its settings")

    def redis(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=str(self.state / "sockets" / "redis" / "redis.sock"))

    def forget_key_tests(self) -> None:
        """Key tests are counted per person: whoever comes next has all of them left."""
        client = self.redis()
        for key in client.scan_iter("*key-tests*"):
            client.delete(key)
        client.close()

    def recorded(self, key: str = "") -> list[dict[str, Any]]:
        """What the sandbox provider saw: generation requests, those of one key or all."""
        query = urlencode({"key_sha256": sha256(key.encode()).hexdigest()} if key else {})
        with urllib.request.urlopen(f"{self.address}/sandbox/requests?{query}", timeout=10) as answer:
            answered = json.load(answer)
        assert answered["recording"]
        return [request for request in answered["requests"] if request["kind"] in {"chat", "embeddings"}]

    def usage_rows(self, run: str) -> list[dict[str, Any]]:
        """The usage rows of one run, oldest first, once the inbox holds none of it any more."""
        waiting = "SELECT count(*) FROM usage_usageinbox WHERE payload->>'run_id' = %s"
        until(lambda: self.query(waiting, run)[0][0] == 0, "the inbox is drained")
        names = (
            "operation",
            "provider",
            "model",
            "key_owner",
            "success",
            "total_tokens",
            "actual_cost",
            "estimated_cost",
            "http_status",
            "error_code",
            "lead_id",
        )
        rows = self.query(f"SELECT {', '.join(names)} FROM usage_aiusage WHERE run_id = %s ORDER BY id", run)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def arrived(self, run: str) -> list[dict[str, Any]]:
        """What the sandbox provider saw of one run, oldest first: by the names it gave to its answers.

        A key that is saved lets every run go on that waited for one, so a moment or a key does
        not tell whose a request is.
        """
        names = self.query("SELECT provider_request_id FROM usage_aiusage WHERE run_id = %s", run)
        given = {name for (name,) in names if name}
        return [request for request in self.recorded() if {request["id"], request["request_id"]} & given]

    def texts_on_disk(self) -> dict[str, str]:
        """Every log, mail and record that the product has written."""
        folders = ("log", "mail")
        files = [path for folder in folders for path in (self.state / folder).rglob("*") if path.is_file()]
        # Beside the sandbox's record lies a directory of its one-time codes.
        files += [path for path in self.state.glob("*.jsonl*") if path.is_file()]
        return {str(path.relative_to(self.state)): path.read_text(errors="replace") for path in files}


@contextmanager
def serving(state: Path, **extra: str) -> Generator[Served, None, None]:
    """Start the product on a free port, hand it over when it is ready, stop it by SIGTERM."""
    environment = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ}
    environment |= {"LEADAGENT_STATE_DIR": str(state), "PORT": "0", **extra}
    process = subprocess.Popen(
        [sys.executable, "-m", "leadagent.embedded", "serve"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        until(lambda: _found(lines, r"Password: (\S+)") or process.poll() is not None, "Ready", START_SECONDS)
        address, password = _found(lines, r"Ready: (\S+)"), _found(lines, r"Password: (\S+)")
        assert address, "".join(lines)
        yield Served(address, password, state, lines, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)
        reader.join(timeout=10)
        process.stdout.close()


def _found(lines: list[str], pattern: str) -> str:
    match = re.search(pattern, "".join(lines))
    return match.group(1) if match else ""


def until(check: Any, what: str, seconds: float = WORKFLOW_SECONDS) -> None:
    """Wait until `check()` is true; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.2)


class Visitor:
    """Somebody with a session, without a browser: signs in, fills in forms, calls the API."""

    def __init__(self, served: Served, email: str) -> None:
        self._http = httpx2.Client(base_url=served.address, follow_redirects=True, trust_env=False, timeout=30)
        answer = self.submit("/accounts/login/", login=email, password=served.password)
        assert answer.status_code == 200
        assert "/accounts/login" not in str(answer.url), "the sign-in was refused"

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> httpx2.Response:
        return self._http.get(path)

    def submit(self, path: str, **fields: str) -> httpx2.Response:
        """Open the form's page for its token and version, then send it."""
        page = self._http.get(path).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        version = re.search(r'name="version" value="([^"]+)"', page)
        assert token, f"{path} shows no form"
        data = {"csrfmiddlewaretoken": token.group(1), **({"version": version.group(1)} if version else {}), **fields}
        return self._http.post(path, data=data, headers={"Referer": str(self._http.base_url) + path})

    def post(self, path: str, **fields: str) -> httpx2.Response:
        """Press a button: a form with its token, and what it holds beside."""
        return self._http.post(
            path,
            data={"csrfmiddlewaretoken": self._http.cookies["csrftoken"], **fields},
            headers={"Referer": str(self._http.base_url)},
        )

    def hand_in_lead(self, *, request_id: str = "", **lead: str) -> dict[str, Any]:
        """`POST /api/leads`; returns the lead as the API tells it."""
        headers = {"X-CSRFToken": self._http.cookies["csrftoken"], "X-Request-ID": request_id}
        answer = self._http.post("/api/leads", json=lead, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def lead(self, lead_id: str) -> dict[str, Any]:
        return dict(self._http.get(f"/api/leads/{lead_id}").json())

    def wait_for_run(self, lead_id: str, *states: str) -> dict[str, Any]:
        """Follow the lead's run until it is in one of `states`."""
        until(lambda: self.lead(lead_id)["run"]["status"] in states, f"the run is {' or '.join(states)}")
        return dict(self.lead(lead_id)["run"])
