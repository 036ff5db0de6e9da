"""Whether this web process was told to stop: it still answers, and asks load balancers for no more."""

import mmap
from collections.abc import Callable

# One byte that gunicorn's first process shares with the workers it forks.
_told = mmap.mmap(-1, 1)
_worker_stops: Callable[[], bool] = lambda: False  # noqa: E731 -- replaced by `ask_worker`


def note_stop() -> None:
    """All workers of this gunicorn are to stop."""
    _told[0] = 1


def ask_worker(stops: Callable[[], bool]) -> None:
    """Have `is_stopping` ask this, too: a single worker is also stopped when gunicorn replaces it."""
    global _worker_stops
    _worker_stops = stops


def is_stopping() -> bool:
    """From the signal on, until the process is gone."""
    return _told[0] == 1 or _worker_stops()
