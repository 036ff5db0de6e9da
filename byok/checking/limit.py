"""How often keys may be tested: enough for a person who is setting up, too little for trying out stolen keys."""

from __future__ import annotations

import time

from django.core.cache import cache

from leadagent.tenants.models import Organization

# (per what, how many, in how many seconds)
PER_CALLER = (10, 600)
PER_ORGANIZATION = (30, 3600)


class KeyTestsExhausted(Exception):
    """Too many tests. `retry_after` is in seconds; the message says it in words."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        minutes = max(1, -(-retry_after // 60))
        super().__init__(f"Too many key tests in a short time. Try again in {minutes} min.")


def count_key_test(organization: Organization, *, who: str) -> None:
    """Count one test by `who` (`user:<id>` or `token:<id>`); raises `KeyTestsExhausted` when it is one too many.

    Fixed windows in the cache. While the cache is away tests are let through: every caller is an
    admin of the organisation or a token that an admin made.
    """
    _count(f"caller:{who}", *PER_CALLER)
    _count(f"organization:{organization.pk}", *PER_ORGANIZATION)


def _count(name: str, limit: int, seconds: int) -> None:
    window, passed = divmod(int(time.time()), seconds)
    key = f"key-tests:{name}:{window}"
    try:
        cache.add(key, 0, timeout=seconds)
        used = cache.incr(key)
    except ValueError:
        # The window ended between the two, or Redis is away (see `leadagent.cache`).
        return
    if used > limit:
        raise KeyTestsExhausted(seconds - passed)
