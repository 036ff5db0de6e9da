"""How far a long command is, for the person at the terminal; silent where there is none."""

import time
from typing import Any

_EVERY_SECONDS = 0.2
# Characters.
_BAR = 30


class Progress:
    """One line, with a bar where the total is known, that rewrites itself on `stream` (stderr).

    It is cleared before other output and at the end.
    """

    def __init__(self, stream: Any, what: str, *, total: int | None = None) -> None:
        self._stream = stream
        self._what = what
        self._total = total
        self._shown = 0.0
        self._is_terminal = bool(stream.isatty())

    def show(self, done: int) -> None:
        """Tell that `done` are done; at most five times a second."""
        now = time.monotonic()
        if not self._is_terminal or now - self._shown < _EVERY_SECONDS:
            return
        self._shown = now
        bar, of = "", ""
        if self._total:
            filled = min(_BAR, _BAR * done // self._total)
            bar, of = f"[{'#' * filled}{'.' * (_BAR - filled)}] ", f" of {self._total:,}"
        self._write(f"\r{bar}{done:,}{of} {self._what}\x1b[K")

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._is_terminal and self._shown:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        # Django's wrapper would add a line break.
        self._stream.write(text, ending="")
        self._stream.flush()
