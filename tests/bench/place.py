"""Servers of the bench's own, two filled databases, and a process of the product on each of them.

`small` holds ten thousand events and `full` as many as were asked for, of the same thousand
organisations: so ours and the reference can be measured in turns even where the size is
the difference. Everything lies in a state directory of this run and goes with it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg

from leadagent.embedded.errors import ProcessFailed
from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import REPOSITORY, State, state_directory
from tests.servers import new_state

# What a person has set must not reach the measured product.
_KEPT_NAMES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `events` are those of the full database."""

    events: int
    small_events: int = 10_000
    organizations: int = 1_000
    runs: int = 5
    calls: int = 100
    slow_calls: int = 10
    ingest: int = 20_000
    visits: int = 20
    rotated_keys: int = 10_000
    export_runs: int = 5
    starts: int = 2

    @classmethod
    def quick(cls) -> Sizes:
        """Only to see that every figure can be produced."""
        return cls(
            events=20_000,
            small_events=2_000,
            organizations=50,
            runs=1,
            calls=5,
            slow_calls=2,
            ingest=1_000,
            visits=2,
            rotated_keys=200,
            export_runs=1,
            starts=1,
        )


class Worker:
    """A process that runs functions of this package on one database; see `worker.py`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
        )

    def begin(self, do: str, **values: Any) -> None:
        """Start `do` (module and function) without waiting; `end` waits."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "with": values}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        """What the function returned that was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"it ended; see {self._log}"}
        if "error" in answer:
            raise ProcessFailed(f"A process of the bench failed: {answer['error']}")
        return answer["value"]

    def do(self, do: str, **values: Any) -> Any:
        """Run a function there and return what it returns."""
        self.begin(do, **values)
        return self.end()

    def stop(self) -> None:
        """Let the process end by itself, and end it where it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@dataclass
class Bench:
    """All that a figure may need."""

    sizes: Sizes
    state: State
    runner: Runner
    server_url: str
    environment: dict[str, str]
    provider: str
    litellm: str
    workers: list[Worker] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def worker_on(self, database: str) -> Worker:
        """A new process on one database; it is stopped at the end."""
        worker = Worker(self.environment_for(database), self.state.directory("log") / f"worker-{database}.log")
        self.workers.append(worker)
        return worker

    def environment_for(self, database: str) -> dict[str, str]:
        """What a process of the product on this database is given."""
        return self.environment | {"DATABASE_URL": self.server_url.replace("@/leadagent", f"@/{database}")}

    def copy_database(self, name: str, *, of: str = "leadagent") -> None:
        """A new database with all that another one holds; nobody may be connected to that one."""
        host = self.server_url.partition("?host=")[2]
        with psycopg.connect(host=unquote(host), user="leadagent", dbname="postgres", autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{of}"')

    @property
    def small(self) -> Worker:
        return self.workers[0]

    @property
    def full(self) -> Worker:
        return self.workers[1]


def say(text: str) -> None:
    """Tell the person how far it is; the table alone goes to standard output."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def bench(sizes: Sizes, *, litellm: str = "") -> Iterator[Bench]:
    """Start everything, fill both databases, and remove it all at the end."""
    state = new_state(state_directory() / "bench")
    runner = Runner(marker=state.marker, log_directory=state.directory("log"))
    made: Bench | None = None
    try:
        made = _start(sizes, state, runner, litellm)
        yield made
    finally:
        for worker in made.workers if made else []:
            worker.stop()
        runner.stop()
        state.remove()


def _start(sizes: Sizes, state: State, runner: Runner, litellm: str) -> Bench:
    say("Starting PostgreSQL, Redis and the mock provider")
    # Forced to disk at each commit, as in production: the durable writes of a call cost what they cost.
    server_url = start_postgres(state, runner)
    redis_url = start_redis(state, runner)
    mock = runner.start(
        "provider", [sys.executable, "-u", "-m", "tests.bench.mock_provider"], env=os.environ, cwd=REPOSITORY
    )
    runner.wait_until(lambda: bool(mock.tail), seconds=30, what="The mock provider did not start")
    provider = f"http://127.0.0.1:{mock.tail[0]}"
    environment = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ} | {
        # Over plain http, otherwise as in production: no debug, no sandbox.
        "LEADAGENT_ENV": "demo",
        # Counted as in production, never reached.
        "AI_RATE_LIMIT_REQUESTS": "1000000000",
        "AI_RATE_LIMIT_TOKENS": "1000000000000",
        "DJANGO_SETTINGS_MODULE": "leadagent.settings",
        "PUBLIC_URL": "http://127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1,testserver",
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_SECRET": secrets.token_hex(32),
        "DATABASE_URL": server_url,
        "REDIS_URL": redis_url,
        "USAGE_SPOOL_DIR": str(state.directory("spool")),
        "STATIC_ROOT": str(state.directory("static")),
        "LOG_LEVEL": "WARNING",
        # The platform's key serves the mock only.
        "AI_GATEWAY_API_KEY": f"sk-proj-{secrets.token_hex(16)}",
        "PROVIDER_OPENAI_URL": f"{provider}/0ms/openai/v1",
        "PROVIDER_ANTHROPIC_URL": f"{provider}/0ms/anthropic",
        "PROVIDER_OPENROUTER_URL": f"{provider}/0ms/openrouter/api/v1",
    }
    made = Bench(sizes, state, runner, server_url, environment, provider, litellm)
    _fill(made)
    return made


def _fill(made: Bench) -> None:
    sizes = made.sizes
    say(f"Making {sizes.organizations:,} organisations")
    first = made.worker_on("leadagent")
    first.do("seeding.make_product", organizations=sizes.organizations)
    first.stop()
    made.workers.clear()
    for database, events in (("small", sizes.small_events), ("full", sizes.events)):
        made.copy_database(database)
        worker = made.worker_on(database)
        say(f"Filling the database {database!r} with {events:,} events")
        seeded = worker.do("seeding.fill_usage", events=events)
        made.facts[f"events in {database}"] = events
        made.facts[f"seeding {database}, events/s"] = round(events / seeded["copy"])
        if database == "full":
            made.facts["one durable INSERT, ms"] = round(1000 * worker.do("calls.durable_insert"), 2)
        say(
            f"  {events / seeded['copy']:,.0f} events/s by COPY into the partitions ({seeded['copy']:.1f} s), "
            f"{events / seeded['rollup']:,.0f} events/s into the rollup, "
            f"{events / sum(seeded.values()):,.0f} events/s in all"
        )
