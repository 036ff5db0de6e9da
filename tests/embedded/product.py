"""The product started as `make run` starts it, with its processes in view."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from leadagent.embedded.orphans import find_marked
from leadagent.embedded.state import REPOSITORY

# The outer test run's servers and settings stay outside.
PASSED_ON = ("HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
START_SECONDS = 120.0


class Product:
    """`python -m leadagent.embedded serve` on a free port, its output in a file."""

    def __init__(self, state: Path, *, output: Path, environment: Mapping[str, str] | None = None) -> None:
        self.state = state
        self._output = output
        given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "leadagent.embedded", "serve"],
                cwd=REPOSITORY,
                env={**given, "LEADAGENT_STATE_DIR": str(state), "PORT": "0", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # As a terminal does it: signals for the group reach the runner and not this process.
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_until_ready(self) -> "Product":
        wait_until(lambda: "Password: " in self.output or self.process.poll() is not None, START_SECONDS)
        assert "Ready: " in self.output, self.output
        return self

    def __enter__(self) -> "Product":
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever the test came to, nothing of it stays."""
        if self.process.poll() is None:
            self.stop()

    def wait_for_end(self) -> int:
        return self.process.wait(timeout=60)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait_for_end()

    @property
    def address(self) -> str:
        return self._line("Ready")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def password(self) -> str:
        return self._line("Password")

    def processes(self) -> dict[int, str]:
        """Process number → command line of all that descends from the runner, the runner left out."""
        parents = {pid: _parent(pid) for pid in _pids()}
        found: set[int] = set()
        wave = {self.process.pid}
        while wave := {pid for pid, parent in parents.items() if parent in wave}:
            found |= wave
        return {pid: command_line(pid) for pid in found}

    def _line(self, label: str) -> str:
        match = re.search(rf"^{label}: (\S+)$", self.output, re.MULTILINE)
        assert match, self.output
        return match.group(1)


def marked(state: Path) -> set[int]:
    """Processes that say they belong to this state directory, whoever their parent is."""
    marker = re.search(r'"state_id": "(\w+)"', (state / "secrets.json").read_text())
    assert marker
    return set(find_marked(f"{marker.group(1)}:{state}"))


def wait_until(check: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.05)


def alive(pids: Mapping[int, str]) -> dict[int, str]:
    """Those that still run, as the same program."""
    return {pid: line for pid, line in pids.items() if line and command_line(pid) == line}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        # The name in brackets may hold spaces.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
