"""A pytest plugin (`-p tests.servers`): PostgreSQL and Redis for one test run, up before Django reads its settings.

Each run has a directory of its own under `<state directory>/test`, so two runs never meet;
it is removed at the end, and what a killed run left is removed by the next one. With
DATABASE_URL or REDIS_URL set, that server is used instead. Workers of pytest-xdist find
both names set by the process that started them.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from leadagent.embedded.errors import CannotStart, ProcessFailed
from leadagent.embedded.orphans import stop_marked
from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import Secrets, State, state_directory

# Set for the workers: the number of Redis's database that none of them shares.
_SHARED_REDIS = "LEADAGENT_TEST_REDIS_URL"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Start what is missing before pytest-django loads the settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        made = Secrets.generate()
        os.environ.setdefault("SECRET_KEY", made.secret_key)
        os.environ.setdefault("ENCRYPTION_SECRET", made.encryption_secret)
        os.environ |= {"LEADAGENT_ENV": "test", "SANDBOX_ENABLED": "1"}
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            try:
                _start(early_config)
            except (CannotStart, ProcessFailed) as error:
                raise pytest.UsageError(str(error)) from None
    elif shared := os.environ.get(_SHARED_REDIS):
        os.environ["REDIS_URL"] = f"{shared}?db={int(worker.removeprefix('gw')) % 15 + 1}"
    return (yield)


def _start(config: pytest.Config) -> None:
    state = new_state(state_directory() / "test")
    runner = Runner(marker=state.marker, log_directory=state.directory("log"))

    def stop() -> None:
        runner.stop()
        state.remove()

    config.add_cleanup(stop)
    os.environ.setdefault("STATIC_ROOT", str(state.directory("static")))
    os.environ.setdefault("EXPORT_DIR", str(state.directory("exports")))
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = os.environ[_SHARED_REDIS] = start_redis(state, runner)
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = start_postgres(state, runner, durable=False)


def new_state(parent: Path) -> State:
    """A fresh directory, after removing those whose runner is dead; runs that start together take turns."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        turn = (parent / "lock").open("a")
    except OSError as error:
        raise CannotStart(
            f"The directory {parent} cannot be written ({error.strerror}): set LEADAGENT_STATE_DIR to one that can."
        ) from None
    with turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for left in parent.glob("run-*"):
            try:
                state = State(left)
            except CannotStart:
                continue  # It runs.
            stop_marked(state.marker)
            state.remove()
        return State(Path(tempfile.mkdtemp(prefix="run-", dir=parent)))
