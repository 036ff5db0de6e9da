"""What the person at the terminal sees: our own steps, and of the processes only what wants attention."""

import queue
import re
import sys
import threading
from contextlib import suppress
from typing import Any

from honcho.printer import Printer

# The head of a log line of Python or gunicorn that wants attention. The lines that belong to it are in the log file.
_WANTS_ATTENTION = re.compile(r"\S+ \S+ (?:\S+ )?(?:\[\d+\] )?\[?(?:WARNING|ERROR|CRITICAL)\b")
_CLOSE = object()


class Terminal:
    """Prints from a thread of its own: a reader that has gone away or reads slowly never holds a process up."""

    def __init__(self) -> None:
        self._printer = Printer(sys.stdout, width=8)
        self._waiting: queue.Queue[Any] = queue.Queue(maxsize=2000)
        self._thread = threading.Thread(target=self._print_all, name="terminal", daemon=True)
        self._thread.start()

    def say(self, text: str = "") -> None:
        """Print a line of ours."""
        self._put(text)

    def relay(self, message: Any) -> None:
        """Print a process's line (honcho's `Message`) with its name, if it is a warning or an error."""
        if _WANTS_ATTENTION.match(message.data.decode("utf-8", "replace")):
            self._put(message)

    def close(self) -> None:
        """Print what waits, for a few seconds at most."""
        with suppress(queue.Full):
            self._waiting.put(_CLOSE, timeout=2)
            self._thread.join(timeout=2)

    def _put(self, item: Any) -> None:
        with suppress(queue.Full):
            self._waiting.put_nowait(item)

    def _print_all(self) -> None:
        while (item := self._waiting.get()) is not _CLOSE:
            try:
                if isinstance(item, str):
                    print(item, flush=True)
                else:
                    self._printer.write(item)
            except (OSError, ValueError):
                # The terminal is gone; the log files have it all.
                continue
