"""`make run`: the servers, the web process, the worker and the beat, from an empty directory to Ready."""

import http.client
import os
import signal
import sys
from pathlib import Path

from leadagent.embedded.environment import demo_environment, read_dotenv
from leadagent.embedded.errors import NEEDS_ATTENTION, CannotStart
from leadagent.embedded.orphans import stop_marked
from leadagent.embedded.ports import LOOPBACK, port_from_environment, reserve_port
from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Interrupted, Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import REPOSITORY, State, state_directory
from leadagent.embedded.terminal import Terminal

DEMO_LOGINS = ("admin@demo.test", "member@demo.test", "viewer@demo.test", "support@demo.test")
_PYTHON = Path(sys.executable)


def serve() -> None:
    """Run the product until SIGINT, SIGTERM or SIGHUP; nothing is left behind, whatever the reason of the end.

    Raises `CannotStart` and `ProcessFailed`.
    """
    # All that is written here is the person's own: keys, mail, data.
    os.umask(0o077)
    read_dotenv()
    port = port_from_environment()
    state = State(state_directory())
    terminal = Terminal()
    runner = Runner(marker=state.marker, log_directory=state.directory("log"), terminal=terminal)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, runner.interrupt)
    try:
        _run(state, runner, port)
    except Interrupted:
        runner.say("Stopping")
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        runner.stop()
        state.close()
        terminal.close()


def _run(state: State, runner: Runner, port: int) -> None:
    runner.say(f"State directory: {state.path}")
    if left_behind := stop_marked(state.marker):
        runner.say(f"Stopped {left_behind} processes that an earlier run had left behind")
    reserved = reserve_port(port)
    port = reserved.getsockname()[1]
    address = f"http://{LOOPBACK}:{port}"
    state.write_address(address)
    env = demo_environment(
        state, port=port, database_url=_database_url(state, runner), redis_url=_redis_url(state, runner)
    )
    runner.say("Bringing the database and the demo data up to date")
    _prepare(runner, env)
    runner.say("Starting web, worker and beat")
    reserved.close()
    _start_product(state, runner, env, port)
    runner.wait_until(lambda: _is_ready(port), seconds=90, what=f"The web process did not answer {address}/readyz")
    runner.say(f"\nReady: {address}")
    for login in DEMO_LOGINS:
        runner.say(f"Login: {login}")
    runner.say(f"Password: {state.secrets.demo_password}")
    runner.say("\nCtrl-C stops it; the data stays. Logs: " + str(state.path / "log"))
    runner.watch()


def _database_url(state: State, runner: Runner) -> str:
    if given := os.environ.get("DATABASE_URL"):
        runner.say("PostgreSQL: the one at DATABASE_URL")
        return given
    runner.say("Starting PostgreSQL")
    return start_postgres(state, runner)


def _redis_url(state: State, runner: Runner) -> str:
    if given := os.environ.get("REDIS_URL"):
        runner.say("Redis: the one at REDIS_URL")
        return given
    runner.say("Starting Redis")
    return start_redis(state, runner)


def _prepare(runner: Runner, env: dict[str, str]) -> None:
    child = runner.start("prepare", [_PYTHON, "-m", "leadagent.embedded.prepare"], env=env, cwd=REPOSITORY)
    if runner.wait_for_end(child, accept=(0, NEEDS_ATTENTION)) == NEEDS_ATTENTION:
        raise CannotStart(child.tail[-1] if child.tail else f"The database could not be prepared: see {child.log}.")


def _start_product(state: State, runner: Runner, env: dict[str, str], port: int) -> None:
    gunicorn = ["gunicorn", "leadagent.wsgi", "--config", "python:leadagent.web_server", "--worker-class", "gthread"]
    web = [
        *gunicorn,
        "--workers",
        "2",
        "--threads",
        "8",
        "--bind",
        f"{LOOPBACK}:{port}",
        "--graceful-timeout",
        "5",
        "--no-control-socket",
    ]
    celery = ["celery", "--quiet", "-A", "leadagent"]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--loglevel", "INFO", "--pidfile", "", "--schedule", str(state.path / "beat-schedule")]
    for name, words in (("web", web), ("worker", worker), ("beat", beat)):
        runner.start(name, [_PYTHON, "-m", *words], env=env, cwd=REPOSITORY, relayed=True)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
