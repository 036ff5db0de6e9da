import os
import sys
import time
from types import SimpleNamespace

import pytest

from leadagent.embedded.terminal import Terminal


def _line(text: str) -> SimpleNamespace:
    return SimpleNamespace(
        type="line", data=text.encode(), time=SimpleNamespace(strftime=lambda _: "12:00:00"), name="web", colour=None
    )


def test_the_person_sees_steps_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("Starting PostgreSQL")
    for line in (
        "2026-11-24 00:33:35,077 ERROR celery.worker Received unregistered task",
        "[2026-11-24 00:31:27 +0000] [11228] [WARNING] Worker timeout",
        "2026-11-24 00:33:35,077 INFO celery.beat Sending due task after an ERROR",
        "[2026-11-24 00:31:27 +0000] [11228] [INFO] Listening at: http://127.0.0.1:8000",
        "    raise ValueError('the trace is in the log file')",
        "",
    ):
        terminal.relay(_line(line + "\n"))
    terminal.close()
    assert capsys.readouterr().out.splitlines() == [
        "Starting PostgreSQL",
        "12:00:00 web      | 2026-11-24 00:33:35,077 ERROR celery.worker Received unregistered task",
        "12:00:00 web      | [2026-11-24 00:31:27 +0000] [11228] [WARNING] Worker timeout",
    ]


def test_a_reader_that_has_stopped_reading_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        terminal = Terminal()
        before = time.monotonic()
        for _ in range(5000):
            terminal.say("x" * 100)
        assert time.monotonic() - before < 2
        # Once it has gone away for good, nothing breaks either.
        os.close(reading)
        terminal.say("nobody hears this")
        terminal.close()
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
