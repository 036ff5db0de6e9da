"""A whole installation for one test run to break: servers, provider, worker and callers, all of its own.

PostgreSQL and Redis are the embedded ones in a directory that nobody else uses; every
process that is killed here was started here and is named by its number.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import redis

from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import State

ROOT = Path(__file__).resolve().parents[2]
PREFIXES = {"openai": "sk-proj-", "anthropic": "sk-ant-api03-", "openrouter": "sk-or-v1-"}
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "openrouter": "openai/gpt-4o-mini"}
PLATFORM_KEY = f"sk-proj-platform-{token_hex(12)}"
DRAIN = "usage.tasks.drain_inbox"

# What of this process's environment the lab's processes may see.
_KEPT_NAMES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")


def until(check: Callable[[], Any], what: str, seconds: float = 45) -> None:
    """Wait until `check()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.05)


class Server:
    """An embedded server that can be stopped, killed and started again on the same data."""

    def __init__(self, name: str, directory: Path, start: Callable[[State, Runner], str]) -> None:
        self.name = name
        self.state = State(directory)
        self._start = start
        self._runner: Runner | None = None

    def start(self) -> str:
        self._runner = Runner(marker=self.state.marker, log_directory=self.state.directory("log"))
        return self._start(self.state, self._runner)

    def stop(self) -> None:
        if self._runner is not None:
            self._runner.stop()
            self._runner = None

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.stop()

    def remove(self) -> None:
        self.stop()
        self.state.remove()


class Program:
    """One process of the product, in a session of its own."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path, **more: Any) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment,
            stderr=self._log,
            stdout=more.pop("stdout", self._log),
            start_new_session=True,
            **more,
        )

    def kill(self) -> None:
        """With all that it has started, at once. Once: then its number may belong to somebody else."""
        if self.process.returncode is not None:
            return
        # It is not waited for yet, so the number is still its own.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._log.close()


class Caller(Program):
    """A process that makes calls; see `tests/chaos/caller.py`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        super().__init__(
            ["-W", "ignore", "-m", "tests.chaos.caller"],
            environment,
            log,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_until_ready(self) -> "Caller":
        assert self._answer() == "ready"
        return self

    def tell(self, do: str, **arguments: Any) -> None:
        """Give a command without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, do: str, **arguments: Any) -> Any:
        self.tell(do, **arguments)
        return self.answer()

    def answer(self) -> Any:
        answer = self._answer()
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the calling process has ended: see its log"
        return json.loads(line)


class Lab:
    """The installation. `close` stops and removes everything."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = Server("postgres", directory / "p", start_postgres)
        self.redis = Server("redis", directory / "r", start_redis)
        self.record_file = directory / "provider.jsonl"
        self.spool = directory / "spool"
        self._programs: list[Program] = []
        self.database_url, self.redis_url = self.postgres.start(), self.redis.start()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.sandbox = f"http://127.0.0.1:{self._listener.getsockname()[1]}/sandbox"
        self._serve_sandbox()
        self._run("manage.py", "migrate", "--verbosity", "0")
        self.worker = self._start_worker()
        self.control = self.caller()
        self.control.wait_until_ready()

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "leadagent.settings",
            "LEADAGENT_ENV": "demo",
            # Counted as in production, never reached.
            "AI_RATE_LIMIT_REQUESTS": "1000000000",
            "AI_RATE_LIMIT_TOKENS": "1000000000000",
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "SECRET_KEY": self.postgres.state.secrets.secret_key,
            "ENCRYPTION_SECRET": self.postgres.state.secrets.encryption_secret,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "USAGE_SPOOL_DIR": str(self.spool),
            "USAGE_NUDGE_SECONDS": "0.2",
            "AI_GATEWAY_API_KEY": PLATFORM_KEY,
            "AI_READ_TIMEOUT": "20",
            "PROVIDER_OPENAI_URL": f"{self.sandbox}/openai/v1",
            "PROVIDER_ANTHROPIC_URL": f"{self.sandbox}/anthropic",
            "PROVIDER_OPENROUTER_URL": f"{self.sandbox}/openrouter/api/v1",
            **extra,
        }

    # --- Processes ------------------------------------------------------------------

    def caller(self, **extra: str) -> Caller:
        """A calling process; wait for it with `wait_until_ready`."""
        made = Caller(self.environment(**extra), self._log("caller"))
        self._programs.append(made)
        return made

    @contextmanager
    def calling(self, **extra: str) -> Iterator[Caller]:
        made = self.caller(**extra).wait_until_ready()
        try:
            yield made
        finally:
            made.kill()

    def restart_worker(self) -> None:
        self.worker = self._start_worker()

    def second_beat(self) -> Program:
        words = ["-m", "celery", "--quiet", "-A", "leadagent", "beat", "--pidfile", "", "--loglevel", "WARNING"]
        return self._program("beat", [*words, "--schedule", str(self.directory / f"beat-{token_hex(4)}")])

    def _start_worker(self) -> Program:
        words = ["-m", "tests.chaos.supervised", "-m", "celery", "--quiet", "-A", "leadagent", "worker"]
        words += ["--concurrency", "2", "--loglevel", "WARNING"]
        words += ["--without-gossip", "--without-mingle", "--beat", "--schedule", str(self.directory / "schedule")]
        return self._program("worker", words)

    def _serve_sandbox(self) -> None:
        """Neither PostgreSQL nor Redis is known to it: its count stands whatever falls."""
        words = ["-m", "gunicorn", "leadagent.wsgi", "--bind", f"fd://{self._listener.fileno()}"]
        words += ["--worker-class", "gthread", "--workers", "1", "--threads", "16", "--no-control-socket"]
        environment = self.environment(
            DATABASE_URL="postgres://nobody@127.0.0.1:1/none",
            REDIS_URL="redis://127.0.0.1:1/0",
            SANDBOX_ENABLED="1",
            SANDBOX_RECORD_FILE=str(self.record_file),
            ALLOWED_HOSTS="127.0.0.1",
        )
        # A provider keeps connections open for a minute or so; gunicorn's two seconds would cut calls off.
        words += ["--keep-alive", "75", "--log-level", "warning", "--worker-tmp-dir", str(self.directory)]
        program = Program(words, environment, self._log("sandbox"), pass_fds=[self._listener.fileno()])
        self._programs.append(program)

    def _program(self, name: str, words: list[str]) -> Program:
        made = Program(words, self.environment(), self._log(name))
        self._programs.append(made)
        return made

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *words],
            cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def manage(self, *words: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *words],
            cwd=ROOT, env=self.environment(**extra), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def close(self) -> None:
        for program in self._programs:
            program.kill()
        self._listener.close()
        self.redis.remove()
        self.postgres.remove()

    # --- Servers --------------------------------------------------------------------

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def kill_postgres(self) -> None:
        data = self.postgres.state.path / "postgres" / "data" / "postmaster.pid"
        self.postgres.kill(int(data.read_text().splitlines()[0]))

    def redis_client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    def kill_redis(self) -> None:
        with self.redis_client() as client:
            pid = client.info("server")["process_id"]
        self.redis.kill(pid)

    @contextmanager
    def batches_held_up(self) -> Iterator["psycopg.Connection[Any]"]:
        """No drain gets further than the middle of its batch: rows are written, sums are not, nothing is committed."""
        connection = psycopg.connect(self.database_url)
        try:
            connection.execute("LOCK TABLE usage_usagedaily IN SHARE MODE")
            yield connection
        finally:
            with suppress(psycopg.OperationalError):
                connection.rollback()
            connection.close()

    def wait_for_a_held_up_batch(self) -> None:
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE relation = 'usage_usagedaily'::regclass AND NOT granted "
            "AND mode = 'RowExclusiveLock'"
        )
        until(lambda: self.query(waiting)[0][0], "a worker is in the middle of a batch")

    # --- Tenants and counts ---------------------------------------------------------

    def tenant(self, *words: str, provider: str = "openrouter") -> "Tenant":
        """A new organisation with its own key; `words` in the key ask the provider for misbehaviour."""
        key = PREFIXES[provider] + "-".join([*words, token_hex(8)])
        slug = f"t-{token_hex(6)}"
        number = self.control.ask("organization", slug=slug, provider=provider, key=key, model=MODELS[provider])
        return Tenant(self, number, slug, [key])

    def tenant_on_platform(self) -> "Tenant":
        slug = f"t-{token_hex(6)}"
        return Tenant(self, self.control.ask("organization", slug=slug), slug, [])

    def recorded(self, keys: list[str]) -> list[dict[str, Any]]:
        """What the provider itself has counted for these keys: calls of a model."""
        if not self.record_file.exists():
            return []
        wanted = {sha256(key.encode()).hexdigest() for key in keys}
        with self.record_file.open() as lines:
            entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [e for e in entries if e["key_sha256"] in wanted and e["kind"] in {"chat", "embeddings"}]


class Tenant:
    """An organisation of the lab, with the keys that its calls went out with."""

    def __init__(self, lab: Lab, number: int, slug: str, keys: list[str]) -> None:
        self.lab, self.number, self.slug, self.keys = lab, number, slug, keys

    def recorded(self) -> list[dict[str, Any]]:
        return self.lab.recorded(self.keys)

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.lab.query(
            f"SELECT {columns} FROM usage_aiusage WHERE organization_id = %s ORDER BY created_at, id", self.number
        )

    def waiting(self) -> int:
        """Ends that are not rows yet. A start whose end overtook it may stay a minute longer."""
        (count,) = self.lab.query(
            "SELECT count(*) FROM usage_usageinbox WHERE kind = 'finished' AND payload->>'organization_id' = %s",
            str(self.number),
        )[0]
        return int(count)

    def give_up_open_calls(self) -> None:
        """Let the time pass after which an open call counts as lost, and the workers look."""
        self.lab.query(
            "UPDATE usage_usageinbox SET received_at = now() - interval '16 minutes' "
            "WHERE payload->>'organization_id' = %s",
            str(self.number),
        )
        self.lab.control.ask("tasks", names=["usage.tasks.reconcile"], times=1)
        until(lambda: not self._open_calls(), "the workers have looked at the open calls")

    def _open_calls(self) -> int:
        (count,) = self.lab.query(
            "SELECT count(*) FROM usage_usageinbox WHERE kind = 'started' AND payload->>'organization_id' = %s",
            str(self.number),
        )[0]
        return int(count)

    def settled(self) -> None:
        """Wait until nothing of this organisation waits anywhere."""
        spools = (self.lab.spool / "usage.jsonl", self.lab.spool / "usage.ledger.replaying")
        until(
            lambda: not any(file.exists() and file.stat().st_size for file in spools) and not self.waiting(),
            "everything is drained",
        )
