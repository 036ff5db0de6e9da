"""Asking a server that may hang: whoever asks has an answer in time, or knows that there is none."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")


class Question(Generic[T]):
    """Asked on a thread of its own, one at a time: who comes while it is open waits for the same answer.

    So a server that hangs for hours holds one thread per process. The thread is a daemon: it keeps no process
    from ending. Its connections to PostgreSQL are closed when it is done.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._open: Future[T] | None = None

    def put(self) -> "Future[T]":
        """The answer to come; `.result(seconds)` raises `TimeoutError`, and what the question raised."""
        with self._lock:
            if self._open is None or self._open.done():
                self._open = Future()
                threading.Thread(target=self._answer, args=(self._open,), name="question", daemon=True).start()
            return self._open

    def _answer(self, future: "Future[T]") -> None:
        try:
            future.set_result(self._ask())
        except Exception as error:
            future.set_exception(error)
        finally:
            connections.close_all()
