"""The cache in Redis, where a Redis that is away is an empty cache and no error.

It holds what limits count by (attempts to sign in, key tests, messages of the public form) and
which two-factor codes were used. Without Redis nobody gets an error page for that and nobody is
locked out. In return nothing is counted until it is back: no limit refuses anybody, and a
two-factor code can be used a second time while it is valid.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

logger = logging.getLogger(__name__)

# In seconds. Whoever waits for a page does not wait for a dead Redis at each of its steps.
ASKED_AGAIN_AFTER = 5.0
SAID_AGAIN_AFTER = 60.0

# What says that the server cannot do its work now, not that the question is wrong.
_AWAY = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, OSError)

Answer = TypeVar("Answer")


class ToleratedRedisCache(RedisCache):
    """Django's Redis cache, answering as an empty one while Redis does not answer."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client

    def count_up(self, amounts: Mapping[str, int], timeout: int) -> dict[str, int] | None:
        """See the module's `count_up`."""
        keys = {name: self.make_and_validate_key(name) for name in amounts}
        client = cast("_Client", self._cache)
        counted = client.count_up({keys[name]: amount for name, amount in amounts.items()}, timeout)
        return None if counted is None else dict(zip(amounts, counted, strict=True))


def count_up(amounts: Mapping[str, int], *, timeout: int) -> dict[str, int] | None:
    """Add to counters that go `timeout` seconds after the last time; what they hold now, or None while Redis is away.

    One exchange with Redis, however many they are. Other caches (tests use one in memory) count one by one.
    """
    if hasattr(cache, "count_up"):
        counted: dict[str, int] | None = cache.count_up(amounts, timeout)
        return counted
    for name in amounts:
        cache.add(name, 0, timeout)
    return {name: cache.incr(name, amount) for name, amount in amounts.items()}


class _Absence:
    """What this process knows of one Redis that is away. Times are of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._until = self._said_at = float("-inf")

    def is_known(self) -> bool:
        return time.monotonic() < self._until

    def note(self, error: Exception) -> None:
        now = time.monotonic()
        self._until = now + ASKED_AGAIN_AFTER
        if now - self._said_at >= SAID_AGAIN_AFTER:
            self._said_at = now
            # Its type only: the text may hold an address with its password.
            logger.warning("Redis is away (%s): nothing is counted, no limit refuses anybody", type(error).__name__)


# By address, as Django makes a cache per thread.
_absences: dict[tuple[str, ...], _Absence] = {}


class _Client(RedisCacheClient):
    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._absence = _absences.setdefault(tuple(servers), _Absence())
        self._kept: dict[bool, Redis] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        """As Django's, but made once for reading and once for writing: making one costs more than asking it."""
        if write not in self._kept:
            self._kept[write] = super().get_client(key, write=write)
        return self._kept[write]

    def _asked(self, ask: Callable[[], Answer], *, otherwise: Answer) -> Answer:
        if self._absence.is_known():
            return otherwise
        try:
            return ask()
        except _AWAY as error:
            self._absence.note(error)
            return otherwise

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        # An empty cache takes what it is given. "Not added" would mean a lock that somebody else holds.
        return self._asked(partial(super().add, key, value, timeout), otherwise=True)

    def get(self, key: Any, default: Any) -> Any:
        return self._asked(partial(super().get, key, default), otherwise=default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._asked(partial(super().set, key, value, timeout), otherwise=None)

    def touch(self, key: Any, timeout: Any) -> bool:
        return self._asked(partial(super().touch, key, timeout), otherwise=False)

    def delete(self, key: Any) -> bool:
        return self._asked(partial(super().delete, key), otherwise=False)

    def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        return self._asked(partial(super().get_many, keys), otherwise={})

    def has_key(self, key: Any) -> bool:
        return self._asked(partial(super().has_key, key), otherwise=False)

    def incr(self, key: Any, delta: int) -> int:
        value: int | None = self._asked(partial(super().incr, key, delta), otherwise=None)
        if value is None:
            # As for every key that is not there.
            raise ValueError(f"Key {key!r} not found.")
        return value

    def count_up(self, amounts: Mapping[str, int], timeout: int) -> list[int] | None:
        return self._asked(partial(self._count_up, amounts, timeout), otherwise=None)

    def _count_up(self, amounts: Mapping[str, int], timeout: int) -> list[int] | None:
        with self.get_client(None, write=True).pipeline(transaction=False) as together:
            for key, amount in amounts.items():
                together.incrby(key, amount)
                together.expire(key, timeout)
            return [int(answer) for answer in together.execute()[::2]]

    def set_many(self, data: Mapping[Any, Any], timeout: Any) -> None:
        self._asked(partial(super().set_many, data, timeout), otherwise=None)

    def delete_many(self, keys: Iterable[Any]) -> None:
        self._asked(partial(super().delete_many, keys), otherwise=None)

    def clear(self) -> bool:
        return self._asked(super().clear, otherwise=False)
