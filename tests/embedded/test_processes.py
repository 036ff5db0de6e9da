import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from leadagent.embedded.errors import CannotStart, ProcessFailed
from leadagent.embedded.orphans import find_marked
from leadagent.embedded.processes import Child, Interrupted, Runner
from leadagent.embedded.state import State
from tests.embedded.product import alive, command_line, wait_until


def _python(runner: Runner, name: str, code: str, stop_signal: signal.Signals = signal.SIGTERM) -> Child:
    return runner.start(name, [sys.executable, "-uc", code], env=os.environ, cwd=Path("/"), stop_signal=stop_signal)


def test_a_process_that_ends_is_named_with_the_end_of_its_log(runner: Runner, state: State) -> None:
    _python(runner, "steady", "import time; time.sleep(60)")
    _python(runner, "brittle", "for n in range(40): print('line', n)\nraise SystemExit(3)")
    with pytest.raises(ProcessFailed, match="brittle ended with exit code 3") as failure:
        runner.watch()
    assert "line 39" in str(failure.value)
    assert "line 9\n" not in str(failure.value)
    assert (state.path / "log" / "brittle.log").read_text().startswith("line 0\n")


def test_an_end_is_seen_even_while_helpers_hold_the_output(runner: Runner) -> None:
    _python(runner, "leader", "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nelse:\n    os._exit(4)")
    before = time.monotonic()
    with pytest.raises(ProcessFailed, match="leader ended with exit code 4"):
        runner.watch()
    runner.stop()
    assert time.monotonic() - before < 10


def test_waiting_ends_when_asked_or_when_time_is_up(runner: Runner) -> None:
    with pytest.raises(CannotStart, match=r"The moon did not rise within 0 seconds: see the logs in"):
        runner.wait_until(lambda: False, seconds=0.1, what="The moon did not rise")
    threading.Timer(0.2, runner.interrupt).start()
    with pytest.raises(Interrupted):
        runner.watch()


def test_a_program_that_is_meant_to_end(runner: Runner) -> None:
    assert runner.wait_for_end(_python(runner, "short", "")) == 0
    assert runner.wait_for_end(_python(runner, "short", "raise SystemExit(2)"), accept=(0, 2)) == 2
    with pytest.raises(ProcessFailed, match=r"(?s)short ended with exit code 1; the end of .*it wrote nothing"):
        runner.wait_for_end(_python(runner, "short", "raise SystemExit(1)"))
    missing = runner.start("missing", ["/nowhere/program"], env=os.environ, cwd=Path("/"))
    with pytest.raises(ProcessFailed, match="missing ended with exit code 127"):
        runner.wait_for_end(missing)


def test_each_is_stopped_by_its_own_signal_and_the_stubborn_by_force(
    runner: Runner, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadagent.embedded.processes.PATIENCE", 1.0)
    tell = "import signal, time; signal.signal(signal.SIGINT, lambda *_: (print('asked'), exit(0))); print('up')"
    polite = _python(runner, "polite", f"{tell}; time.sleep(60)", signal.SIGINT)
    # It leaves a helper in its group that does not listen either.
    stubborn = _python(
        runner,
        "stubborn",
        "import signal, os, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); print('up'); time.sleep(60)",
    )
    wait_until(lambda: "up" in polite.tail and len(stubborn.tail) == 2)
    running = {pid: command_line(pid) for pid in find_marked(state.marker)}
    assert len(running) == 3
    runner.stop()
    assert polite.returncode == 0
    assert list(polite.tail) == ["up", "asked"]
    assert stubborn.returncode == -signal.SIGKILL
    assert alive(running) == {}


def test_what_left_its_group_is_found_all_the_same(runner: Runner, state: State) -> None:
    leader = _python(
        runner,
        "leader",
        "import os, time\nif os.fork() == 0:\n    os.setsid(); os.close(1); os.close(2)\nelse:\n    print('up')\ntime.sleep(60)",
    )
    wait_until(lambda: "up" in leader.tail)
    wait_until(lambda: len(list(find_marked(state.marker))) == 2)
    runner.stop()
    assert list(find_marked(state.marker)) == []


def test_the_last_runs_logs_are_kept_once(state: State) -> None:
    for word in ("first", "second", "third"):
        runner = Runner(marker=state.marker, log_directory=state.directory("log"))
        runner.wait_for_end(_python(runner, "chatty", f"print('{word}')"))
    assert (state.path / "log" / "chatty.log").read_text() == "third\n"
    assert (state.path / "log" / "chatty.log.1").read_text() == "second\n"


def test_a_silent_wait_costs_little(runner: Runner) -> None:
    """The runner watches for as long as the product runs: it must leave the processor to the product."""
    threading.Timer(2.0, runner.interrupt).start()
    before = time.process_time()
    with pytest.raises(Interrupted):
        runner.watch()
    assert time.process_time() - before < 0.2
