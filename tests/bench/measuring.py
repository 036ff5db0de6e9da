"""Medians of ours and of a reference, taken in turns: what else the machine does meets both alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

RUNS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two medians in the same unit."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


def alternate(ours: Callable[[], float], reference: Callable[[], float], *, runs: int = RUNS) -> Pair:
    """Measure both once for warming up and then `runs` times in turns. Each returns one figure."""
    ours()
    reference()
    found: tuple[list[float], list[float]] = ([], [])
    for run in range(runs):
        # Who goes first changes: the second one finds warmer caches.
        for which in (0, 1) if run % 2 == 0 else (1, 0):
            found[which].append((ours, reference)[which]())
    return Pair(median(found[0]), median(found[1]))


def seconds_per_call(call: Callable[[], object], times: int) -> float:
    """The median of single calls in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return median(taken)
