"""Where a visitor comes from, and how often: for addresses that anyone may write to."""

import logging
import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def client_ip(request: HttpRequest) -> str:
    """The visitor's address; behind a trusted proxy, the one that proxy saw."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return forwarded.rpartition(",")[2].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def is_too_often(what: str, *, limit: int, seconds: int) -> bool:
    """Count one more of `what` in the current window of `seconds`; True beyond `limit`.

    With Redis away nothing is counted and nobody is refused: a lead is worth more than the limit.
    """
    key = f"often:{what}:{int(time.time()) // seconds}"
    try:
        cache.add(key, 0, timeout=seconds * 2)
        return cache.incr(key) > limit
    except (RedisError, ValueError):
        logger.warning("Could not count how often %s", what.partition(":")[0])
        return False
