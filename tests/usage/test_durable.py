"""The connections beside Django's: quick to see that PostgreSQL is away, and quick to see that it is back."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from psycopg_pool import PoolTimeout

from usage.recording import durable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def pool_of_its_own() -> Iterator[None]:
    durable.close()
    yield
    durable.close()


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An address where nobody listens, for the pool only."""
    monkeypatch.setattr(durable, "WAIT_SECONDS", 0.3)
    monkeypatch.setattr(durable, "PROBE_SECONDS", 0.3)
    parameters = connection.get_connection_params() | {"host": "/nowhere"}
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setattr(connection, "get_connection_params", lambda: dict(parameters))
        yield


def ask() -> float:
    """The seconds that one question took, answered or not."""
    began = time.monotonic()
    try:
        with durable.connection() as borrowed:
            borrowed.execute("SELECT 1")
    except (psycopg.OperationalError, PoolTimeout):
        pass
    return time.monotonic() - began


@pytest.mark.usefixtures("no_server")
def test_only_one_caller_waits_for_a_server_that_is_away() -> None:
    assert ask() >= 0.3
    assert max(ask() for _ in range(20)) < 0.1
    time.sleep(durable.AWAY_SECONDS)
    took: list[float] = []
    threads = [threading.Thread(target=lambda: took.append(ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seconds >= 0.3 for seconds in took) == 1


def test_connections_that_a_restart_has_killed_fail_one_caller_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "AWAY_SECONDS", 0.05)
    with durable.connection() as one, durable.connection() as two:
        pids = [one.info.backend_pid, two.info.backend_pid]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [pids])
    with pytest.raises(psycopg.OperationalError), durable.connection() as dead:
        dead.execute("SELECT 1")
    time.sleep(0.1)
    for _ in range(5):
        with durable.connection() as alive:
            assert alive.info.backend_pid not in pids
            alive.execute("SELECT 1")


def test_a_table_that_stays_locked_counts_as_away() -> None:
    with durable.connection() as borrowed:
        assert borrowed.execute("SHOW statement_timeout").fetchone() == ("5s",)
