"""Find and stop the server processes that a killed runner left behind: its own, never anybody else's.

Every server process carries its state directory's marker in its environment. The kernel
shows that as it was when the program started, so a process cannot come to carry it by
accident, and a process number that was handed out anew does not count.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARKER_NAME = "LEADAGENT_STATE_MARKER"
_PROC = Path("/proc")
# PostgreSQL stops cleanly on SIGINT; on SIGTERM it would wait for its clients.
_STOP_SIGNALS = {"postgres": signal.SIGINT}
_PATIENCE = 10.0


def find_marked(marker: str) -> Iterator[int]:
    """Process numbers that carry `marker`, in no order; nothing where there is no /proc."""
    wanted = f"{MARKER_NAME}={marker}".encode()
    for pid in _pids():
        if pid == os.getpid():
            continue
        with suppress(OSError):
            if wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                yield pid


def find_working_in(directory: Path) -> Iterator[int]:
    """Process numbers whose working directory is `directory`: PostgreSQL's processes stand in their data."""
    for pid in _pids():
        with suppress(OSError):
            if Path(os.readlink(_PROC / str(pid) / "cwd")) == directory:
                yield pid


def stop_marked(marker: str) -> int:
    """Stop every process that carries `marker`, with force after a while; return how many there were."""
    first = set(find_marked(marker))
    for pid in first:
        _signal(pid, _STOP_SIGNALS.get(_command(pid), signal.SIGTERM))
    deadline = time.monotonic() + _PATIENCE
    while (left := set(find_marked(marker))) and time.monotonic() < deadline + _PATIENCE:
        if time.monotonic() > deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    return len(first)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.glob("[0-9]*")]


def _command(pid: int) -> str:
    with suppress(OSError):
        return (_PROC / str(pid) / "comm").read_text().strip()
    return ""


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
