"""The process runner: starts programs, keeps their logs, notices when one ends, stops them in order.

Built on honcho's process and colours. Its manager starts all processes at once and sends
them all the same signal; here the database is up before the web process and goes down
after it, by the signal that it wants.
"""

import os
import shlex
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from honcho.colour import get_colours
from honcho.process import Process

from leadagent.embedded.errors import CannotStart, ProcessFailed
from leadagent.embedded.orphans import MARKER_NAME, stop_marked
from leadagent.embedded.terminal import Terminal

# Seconds that a program has for stopping when it is asked.
PATIENCE = 15.0
_SERVERS = frozenset({"postgres", "redis"})
_POLL = 0.05
_TAIL_LINES = 15


class Interrupted(Exception):
    """The person, or the system, asked the runner to stop."""


class Child:
    """One running program and its log; honcho's reader thread reports to `put`."""

    def __init__(self, name: str, *, log: Path, stop_signal: signal.Signals, relay: Callable[[Any], None]) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self.pid = 0
        self.returncode: int | None = None
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._relay = relay
        self._file = log.open("ab", buffering=0)
        self._started = threading.Event()

    def put(self, message: Any) -> None:
        """Take honcho's report: a line, the start with its pid, or the end with its return code."""
        if message.type == "line":
            self._file.write(message.data)
            self.tail.append(message.data.decode("utf-8", "replace").rstrip())
            self._relay(message)
        elif message.type == "start":
            self.pid = message.data["pid"]
            self._started.set()
        else:
            self._file.close()
            self.returncode = message.data["returncode"]

    def wait_started(self) -> None:
        """Wait until the program has a pid."""
        if not self._started.wait(timeout=30):
            raise ProcessFailed(f"{self.name} could not be started: the machine has no room for another process.")

    def has_ended(self) -> bool:
        """Whether the program is gone; its helpers may still be there and hold its output."""
        return self.exit_code() is not None

    def has_said_all(self) -> bool:
        """Whether the program is gone and everything it wrote is in its log."""
        return self.returncode is not None

    def exit_code(self) -> int | None:
        """How the program ended (minus the signal's number for one that was killed), or None."""
        if self.returncode is None and self.pid:
            # ChildProcessError: the reader has just taken the code and is about to tell it.
            with suppress(ChildProcessError):
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is not None:
                    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        return self.returncode

    def failure(self) -> ProcessFailed:
        """Who ended, how, and the last lines that it wrote."""
        code = self.exit_code()
        how = f"by signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        said = "".join(f"\n    {line}" for line in self.tail if line) or "\n    (it wrote nothing)"
        return ProcessFailed(f"{self.name} ended {how}; the end of {self.log}:{said}")


class Runner:
    """Runs the programs of one state directory.

    `marker` goes into every program's environment (see `orphans.py`). Logs go to
    `log_directory`, the previous run's beside them with `.1`. Every method that waits raises
    `ProcessFailed` when a program ends by itself and `Interrupted` after `interrupt()`.
    """

    def __init__(self, *, marker: str, log_directory: Path, terminal: Terminal | None = None) -> None:
        self.interrupted = False
        self._marker = marker
        self._log_directory = log_directory
        self._terminal = terminal
        self._colours = get_colours()
        self._children: list[Child] = []
        self._logs: set[Path] = set()
        self._setpriv = shutil.which("setpriv")

    def interrupt(self, *_signal_and_frame: object) -> None:
        """Ask every wait to end; good as a signal handler."""
        self.interrupted = True

    def say(self, text: str = "") -> None:
        """Tell the person what happens, where there is one."""
        if self._terminal:
            self._terminal.say(text)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        prefix: Sequence[str] = (),
        stop_signal: signal.Signals = signal.SIGTERM,
        relayed: bool = False,
    ) -> Child:
        """Start a program; `prefix` is put before it (a change of user).

        Its lines go to `<name>.log`, and with `relayed` its warnings to the terminal too.
        """
        # The kernel ends it with the runner, even after a kill -9. It comes last in the
        # prefix because a change of user would take it back.
        tied = [self._setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG")] if self._setpriv else []
        words = [*prefix, *tied, *map(str, command)]
        relay = self._terminal.relay if self._terminal and relayed else _keep_quiet
        child = Child(name, log=self._log_file(name), stop_signal=stop_signal, relay=relay)
        process = Process(
            f"exec {shlex.join(words)}",
            name=name,
            colour=next(self._colours),
            env={**env, MARKER_NAME: self._marker},
            cwd=str(cwd),
        )
        self._children.append(child)
        threading.Thread(target=process.run, args=(child,), name=name, daemon=True).start()
        child.wait_started()
        return child

    def wait_for_end(self, child: Child, *, accept: Sequence[int] = (0,)) -> int:
        """Wait until a program that is meant to end has ended; other return codes than `accept` are failures."""
        while not child.has_said_all():
            self._look_around(apart_from=child)
        self._children.remove(child)
        code = child.exit_code()
        if code is None or code not in accept:
            raise child.failure()
        return code

    def wait_until(self, check: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until `check` is true; `CannotStart` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                raise CannotStart(f"{what} within {seconds:.0f} seconds: see the logs in {self._log_directory}.")
            self._look_around()

    def watch(self) -> None:
        """Wait for the end of any program, which is a failure, or for `interrupt()`."""
        while True:
            self._look_around(pause=0.2)

    def stop(self) -> None:
        """Stop all programs, the servers after those that use them, with force where asking does not help."""
        for servers in (False, True):
            chosen = [child for child in self._children if (child.name in _SERVERS) is servers]
            for child in reversed(chosen):
                _send(child, child.stop_signal, group=False)
            _wait(chosen, Child.has_ended, PATIENCE)
            for child in chosen:
                _send(child, signal.SIGKILL, group=True)
            _wait(chosen, Child.has_said_all, 5.0)
        self._children.clear()
        stop_marked(self._marker)

    def _look_around(self, *, apart_from: Child | None = None, pause: float = _POLL) -> None:
        if self.interrupted:
            raise Interrupted
        for child in self._children:
            if child is not apart_from and child.has_ended():
                _wait([child], Child.has_said_all, 1.0)
                raise child.failure()
        time.sleep(pause)

    def _log_file(self, name: str) -> Path:
        path = self._log_directory / f"{name}.log"
        if path not in self._logs:
            self._logs.add(path)
            with suppress(FileNotFoundError):
                path.rename(path.with_suffix(".log.1"))
        return path


def _keep_quiet(_message: Any) -> None:
    """For programs whose lines are for the log only."""


def _send(child: Child, number: signal.Signals, *, group: bool) -> None:
    if child.has_said_all() or not child.pid:
        return
    with suppress(ProcessLookupError):
        # Each program leads its own group, so force reaches its workers too. A polite
        # request goes to the leader alone: celery's workers would drop their tasks.
        (os.killpg if group else os.kill)(child.pid, number)


def _wait(children: Sequence[Child], check: Callable[[Child], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not all(map(check, children)) and time.monotonic() < deadline:
        time.sleep(_POLL)
