"""How often a step is tried and how long it waits in between, by what went wrong. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

# The longest that a provider's own wish is heeded: then the step tries anyway.
LONGEST_PAUSE = timedelta(hours=1)
# A worker that dies in mid-step takes no attempt away; a step that takes down so many is given up.
MAX_WORKERS_LOST = 3


@dataclass(frozen=True, slots=True)
class Backoff:
    """`attempts` in all; the first pause, which then grows fourfold each time."""

    attempts: int
    first_pause: timedelta


_USUAL = Backoff(3, timedelta(seconds=4))
_BY_CODE = {
    # Both pass within minutes: 4 s, 16 s, 1 min, 4 min.
    "rate_limited": Backoff(5, timedelta(seconds=4)),
    "overloaded": Backoff(5, timedelta(seconds=4)),
    # A network that is away: 5 s, 20 s, 80 s, 5 min, 20 min.
    "unreachable": Backoff(6, timedelta(seconds=5)),
    "quota_unavailable": Backoff(6, timedelta(seconds=5)),
    # The same question again: it helps at once or not at all.
    "bad_response": Backoff(3, timedelta(seconds=1)),
}


def attempts_for(code: str) -> int:
    """How often a step that ends with this trouble is tried in all."""
    return _BY_CODE.get(code, _USUAL).attempts


def pause_before_retry(code: str, attempts: int, wish: float | None) -> timedelta:
    """The pause after `attempts` tries, spread so that many runs do not return at once; longer if the provider asks."""
    spread = random.uniform(1.0, 1.5)  # noqa: S311  # nosec B311  # no secret
    pause = _BY_CODE.get(code, _USUAL).first_pause * (4.0 ** (attempts - 1) * spread)
    return min(max(pause, timedelta(seconds=wish or 0)), LONGEST_PAUSE)
