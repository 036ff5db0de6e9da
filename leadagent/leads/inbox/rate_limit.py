"""How often a visitor may write: for addresses that are open to anyone."""

import time

from django.core.cache import cache


def is_too_often(what: str, *, limit: int, seconds: int) -> bool:
    """Count one more of `what` in the current window of `seconds`; True beyond `limit`.

    With Redis away nothing is counted and nobody is refused: a lead is worth more than the limit.
    """
    key = f"often:{what}:{int(time.time()) // seconds}"
    try:
        cache.add(key, 0, timeout=seconds * 2)
        return cache.incr(key) > limit
    except ValueError:
        # There is nothing to count up: Redis is away (see `leadagent.cache`).
        return False
