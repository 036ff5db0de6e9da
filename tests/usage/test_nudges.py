"""Nudges cost a call nothing, come together, and may be lost."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from pytest_django import Settings

from usage.recording import nudges

Sent = list[float]


@pytest.fixture
def by() -> Iterator[Callable[[Callable[[], object]], None]]:
    """`by(sender)`: nudges go there until the test's end."""
    before = nudges._send
    yield nudges.send_by
    nudges._send = before


def wait_for(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_many_calls_send_few_nudges_and_none_is_forgotten(
    settings: Settings, by: Callable[[Callable[[], object]], None]
) -> None:
    sent: Sent = []
    by(lambda: sent.append(time.monotonic()))
    settings.USAGE_NUDGE_SECONDS = 0.3
    began = time.monotonic()
    for _ in range(1000):
        nudges.nudge()
    assert time.monotonic() - began < 0.2
    wait_for(lambda: len(sent) >= 1)
    last_asked = time.monotonic()
    nudges.nudge()
    wait_for(lambda: sent[-1] > last_asked)
    assert len(sent) <= 3
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(sent))


def test_a_redis_that_hangs_or_fails_holds_up_nobody(
    settings: Settings, by: Callable[[Callable[[], object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, asked = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        hanging.wait(5)
        raise OSError("redis://:secret@away")

    monkeypatch.setattr(nudges, "_PAUSE_AFTER_FAILURE", 0.05)
    by(hang)
    settings.USAGE_NUDGE_SECONDS = 0.01
    nudges.nudge()
    assert asked.wait(5)
    began = time.monotonic()
    nudges.nudge()
    assert time.monotonic() - began < 0.1
    hanging.set()
    sent: Sent = []
    by(lambda: sent.append(0))
    nudges.nudge()
    wait_for(lambda: bool(sent))


def test_they_can_be_switched_off(settings: Settings, by: Callable[[Callable[[], object]], None]) -> None:
    sent: Sent = []
    by(lambda: sent.append(0))
    settings.USAGE_NUDGE_SECONDS = 0
    nudges.nudge()
    time.sleep(0.05)
    assert sent == []
