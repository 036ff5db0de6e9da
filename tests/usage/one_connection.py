"""The usage app's own connections, led over the test's (every test has it by tests/conftest.py) or cut."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection


def lead_over_test_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call it with the database open. A savepoint stands in for autocommit."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection

    @contextmanager
    def borrowed() -> Iterator[psycopg.Connection[Any]]:
        with raw.transaction():
            yield raw

    monkeypatch.setattr("usage.recording.durable.connection", borrowed)


def put_postgresql_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every durable write fails as if the server had gone."""

    @contextmanager
    def away() -> Iterator[psycopg.Connection[Any]]:
        raise psycopg.OperationalError("the server closed the connection unexpectedly")
        yield

    monkeypatch.setattr("usage.recording.durable.connection", away)
