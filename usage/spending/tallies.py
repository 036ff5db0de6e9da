"""What organisations used in this minute, shared through the cache and mostly counted beside the call.

Each process knows what the cache last answered and what it has counted since. As long as both
together stay well below what is allowed, a call only adds to its process's own figure; a thread
passes that on a moment later, for all organisations in one exchange. Close to a limit the cache
is asked before the call, and its answer decides.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from leadagent.cache import count_up

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.2
# Counters are of one minute; they outlive it by another for clocks that differ.
_KEPT_SECONDS = 120

Minute = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Used:
    """Of one organisation in one minute."""

    requests: int
    tokens: int


@dataclass(slots=True)
class _Tally:
    requests: int = 0
    tokens: int = 0
    # What all processes had used when the cache was last asked; None: not asked yet.
    shared: Used | None = None

    def take(self) -> Used:
        taken = Used(self.requests, self.tokens)
        self.requests = self.tokens = 0
        return taken


_lock = threading.Lock()
_tallies: dict[Minute, _Tally] = {}
_wanted = threading.Event()
_thread: threading.Thread | None = None


def count_request(organization_id: int, minute: int, *, surely: Used) -> Used | None:
    """Count one request; what was used with it, or None where that is not known because the cache is away.

    Below `surely` the answer is an estimate of this process, from there on the cache's own.
    """
    with _lock:
        tally = _tallies.setdefault((organization_id, minute), _Tally())
        tally.requests += 1
        if tally.shared is not None:
            used = Used(tally.shared.requests + tally.requests, tally.shared.tokens + tally.tokens)
            if used.requests < surely.requests and used.tokens < surely.tokens:
                _pass_on_soon()
                return used
        taken = tally.take()
    return _exchange({(organization_id, minute): taken}).get((organization_id, minute))


def count_tokens(organization_id: int, minute: int, tokens: int) -> None:
    """Count what a call used, soon. Never waits, never raises."""
    with _lock:
        _tallies.setdefault((organization_id, minute), _Tally()).tokens += tokens
        _pass_on_soon()


def pass_on() -> None:
    """Tell the cache what this process has counted; forget minutes that are over."""
    with _lock:
        newest = max((minute for _, minute in _tallies), default=0)
        taken = {of: tally.take() for of, tally in _tallies.items() if tally.requests or tally.tokens}
        for of in [of for of in _tallies if of[1] < newest - 1]:
            del _tallies[of]
    if taken:
        _exchange(taken)


def _exchange(taken: dict[Minute, Used]) -> dict[Minute, Used]:
    amounts: dict[str, int] = {}
    for of, used in taken.items():
        amounts |= {_key("requests", of): used.requests, _key("tokens", of): used.tokens}
    counted = count_up(amounts, timeout=_KEPT_SECONDS)
    if counted is None:
        return {}
    answered = {of: Used(counted[_key("requests", of)], counted[_key("tokens", of)]) for of in taken}
    with _lock:
        _note(answered.items())
    return answered


def _note(answered: Iterable[tuple[Minute, Used]]) -> None:
    for of, used in answered:
        # Two exchanges may end in another order than they began in; counters only grow.
        tally = _tallies.setdefault(of, _Tally())
        if tally.shared is None or used.requests + used.tokens > tally.shared.requests + tally.shared.tokens:
            tally.shared = used


def _key(unit: str, of: Minute) -> str:
    return f"ai-rate:{unit}:{of[0]}:{of[1]}"


def _pass_on_soon() -> None:
    global _thread
    _wanted.set()
    if _thread is None:
        _thread = threading.Thread(target=_keep_passing_on, name="usage-tallies", daemon=True)
        _thread.start()


def _keep_passing_on() -> None:
    pause = threading.Event()
    while True:
        _wanted.wait()
        pause.wait(FLUSH_SECONDS)
        _wanted.clear()
        try:
            pass_on()
        except Exception as exc:
            # Its text may hold Redis's address with a password.
            logger.warning("what was used in this minute could not be passed on (%s)", type(exc).__name__)


def _forget() -> None:
    """A forked child has no thread, and its parent's counts are the parent's to pass on."""
    global _thread, _lock, _wanted
    _thread, _lock, _wanted = None, threading.Lock(), threading.Event()
    _tallies.clear()


os.register_at_fork(after_in_child=_forget)
