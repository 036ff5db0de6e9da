"""Which tests may use the network: none may leave this machine, and only whole journeys may use its loopback."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_django import DjangoDbBlocker

# Files that take minutes start first: else one of two processes waits for them at the end.
_LONGEST_FIRST = ("chaos", "bench", "security", "browser", "flows", "wire", "embedded", "fuzz", "look", "sandbox")
_JOURNEYS = frozenset({"browser", "chaos", "embedded", "flows", "sandbox", "wire"})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network_loopback: may use 127.0.0.1; the journeys' directories have it anyway")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    # A Redis of the person's own is reached by TCP; the embedded one by its socket.
    redis_host = urlsplit(os.environ["REDIS_URL"]).hostname
    for item in items:
        if item.path.relative_to(here).parts[0] in _JOURNEYS:
            item.add_marker("network_loopback")
        if item.get_closest_marker("network_loopback"):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", *([redis_host] if redis_host else [])]))
        elif redis_host:
            item.add_marker(pytest.mark.allow_hosts([redis_host]))
    places = {directory: place for place, directory in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(places)))


@pytest.fixture(autouse=True)
def usage_goes_with_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What usage writes beside the request's transaction still ends with the test's, or the next test would find it.

    Where several threads write at once a test needs the real connections and `django_db(transaction=True)`.
    """
    names = request.fixturenames
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" in names or "live_server" in names or (marker and marker.kwargs.get("transaction")):
        return
    if marker or "db" in names:
        request.getfixturevalue("db")
        # Needs the settings, which are not there yet where this file is read.
        from tests.usage.one_connection import lead_over_test_connection

        lead_over_test_connection(monkeypatch)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of pytest-django, with the catalog kept for tests that empty it."""
    # Need the settings, which are not there yet where this file is read.
    from django.db import connection

    from tests.kept_catalog import keep_catalog
    from usage.recording import durable

    # A run in which no test asks for a database makes none: the connection leads to the developer's own.
    if connection.settings_dict["NAME"].startswith("test_"):
        with django_db_blocker.unblock():
            keep_catalog()
    yield
    # A database that somebody is connected to cannot be dropped; a live server's threads may have stayed.
    durable.close()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND datname LIKE 'test_%' AND pid <> pg_backend_pid()"
        )
        # Beside a browser that is still open, Django's own connection of this thread is another one.
        connection.close()
