"""Things that are done at the same moment."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection, connections

T = TypeVar("T")


def at_once(*acts: Callable[[], T]) -> list[T | Exception]:
    """Run the acts on threads (and so connections) of their own, all let go at the same moment."""
    ready = threading.Barrier(len(acts))
    ends: list[Any] = [None] * len(acts)

    def do(index: int, act: Callable[[], T]) -> None:
        try:
            connection.ensure_connection()
            ready.wait(10)
            ends[index] = act()
        except Exception as error:
            ends[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(i, act)) for i, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ends
