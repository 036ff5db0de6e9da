"""Faults while work goes on: the places and the provider of the AI tests, and a lab to break.

`make chaos` sets LEADAGENT_CHAOS=long: more calls, and PostgreSQL away for 30 seconds. What is
counted after each fault is printed as a table at the end.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.byok.conftest import fake, own_places
from tests.chaos.lab import Lab
from tests.chaos.tally import Tally, printed
from tests.usage.conftest import nothing_held, pool_closed_before_the_database_goes

__all__ = ["fake", "nothing_held", "own_places", "pool_closed_before_the_database_goes"]

_PROPERTY = "chaos"


@dataclass(frozen=True)
class Sizes:
    """How much of a fault: short in `make test`, long in `make chaos`."""

    calls: int
    away_seconds: float


SHORT, LONG = Sizes(calls=8, away_seconds=2), Sizes(calls=120, away_seconds=30)


@pytest.fixture(scope="session")
def sizes() -> Sizes:
    return LONG if os.environ.get("LEADAGENT_CHAOS") == "long" else SHORT


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # Sockets have short names only.
    made = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[Tally], None]:
    """Put a count into the table, then insist on it."""

    def note(tally: Tally) -> None:
        record_property(_PROPERTY, tally.as_json())
        assert tally.is_good, tally

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for found in ("passed", "failed") for report in terminalreporter.stats.get(found, [])]
    tallies = [value for report in reports for name, value in report.user_properties if name == _PROPERTY]
    if tallies:
        terminalreporter.section("faults")
        for line in printed(tallies):
            terminalreporter.write_line(line)
