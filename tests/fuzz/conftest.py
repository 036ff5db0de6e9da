"""Bad input everywhere: the people and places of the other tests, and a table of what came of it.

`make fuzz` sets LEADAGENT_FUZZ=long: fifty thousand inputs and more. In `make test` the same
tests try a few hundred of them, always the same ones.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import signals
from django.db import close_old_connections
from pytest_django import Settings

from tests.byok.conftest import fake, own_places
from tests.fuzz.tally import Tally, printed
from tests.people import admin, organization
from tests.usage.conftest import nothing_held, pool_closed_before_the_database_goes

__all__ = [
    "admin",
    "fake",
    "nothing_held",
    "organization",
    "own_places",
    "pool_closed_before_the_database_goes",
]

_PROPERTY = "fuzz"


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[Tally], None]:
    """Put a count into the table, then insist on it."""

    def note(tally: Tally) -> None:
        record_property(_PROPERTY, tally.as_json())
        assert tally.failures == 0, tally.told()

    return note


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Thousands of refusals would be thousands of lines; what fails is told by its tally."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def wsgi_in_transaction(settings: Settings) -> Iterator[None]:
    """Lets the WSGI application itself answer inside a test's transaction, as Django's test client does."""
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for found in ("passed", "failed") for report in terminalreporter.stats.get(found, [])]
    tallies = [value for report in reports for name, value in report.user_properties if name == _PROPERTY]
    if tallies:
        terminalreporter.section("bad input")
        for line in printed(tallies):
            terminalreporter.write_line(line)
