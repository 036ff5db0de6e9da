"""Where a call's key comes from, and how it is known to be the one that counts now.

Objects here hold the key sealed, or know where it lies. `open` is for the wire only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psycopg
from django.conf import settings
from psycopg_pool import PoolTimeout

from byok.config.heard import forget
from byok.encryption import decrypt_api_key
from byok.models import ProviderCredential
from usage.recording import durable
from usage.recording.recorder import Expected


class KeyMissing(Exception):
    """No key is stored for this call."""


class KeySource(Protocol):
    """Opens the key when it is needed. `open` never waits; it raises `KeyUnreadable` or `KeyMissing`."""

    def open(self) -> str: ...

    def expected(self) -> Expected | None:
        """What the key's row must hold for a call to begin with it; None for a key that is in no row."""

    def look_again(self) -> None:
        """Read the row anew. While PostgreSQL is away calls go on with what was read before."""

    def found(self, sealed: str | None) -> None:
        """Take what the row holds now; None: the row is gone."""


@dataclass(frozen=True, slots=True)
class KeyOfNoRow:
    """A key that no row holds, so that it cannot change there: the platform's, or one that is being tried."""

    read: Callable[[], str]

    def open(self) -> str:
        if key := self.read():
            return key
        raise KeyMissing

    def expected(self) -> Expected | None:
        return None

    def look_again(self) -> None:
        """There is no row."""

    def found(self, sealed: str | None) -> None:
        """There is no row."""


def platform_key(provider: str) -> KeySource:
    """The operator's own key, as the settings hold it when it is needed."""
    return KeyOfNoRow(lambda: str(settings.PLATFORM_KEYS[provider]))


class StoredKey:
    """The key in one row, as that row is when a request leaves: a model may be held for a while.

    A key that was removed since is missing, one that was replaced is the new one.
    """

    _QUERY = "SELECT sealed_key FROM byok_providercredential WHERE id = %s AND organization_id = %s AND provider = %s"

    def __init__(self, row: ProviderCredential) -> None:
        self._binding = row.binding
        self._sealed: str | None = row.sealed_key

    def open(self) -> str:
        sealed = self._sealed
        if sealed is None:
            raise KeyMissing
        return decrypt_api_key(sealed, binding=self._binding)

    def expected(self) -> Expected | None:
        sealed = self._sealed
        return None if sealed is None else Expected(self._QUERY, self._mine, sealed)

    def look_again(self) -> None:
        try:
            with durable.connection() as connection:
                row = connection.execute(self._QUERY, self._mine).fetchone()
        except (psycopg.OperationalError, PoolTimeout):
            return
        self.found(row[0] if row else None)

    def found(self, sealed: str | None) -> None:
        self._sealed = sealed
        if sealed is None:
            # Another row may have taken its place a moment ago: whoever resolves next shall see it.
            forget(self._binding.organization_id)

    @property
    def _mine(self) -> tuple[object, ...]:
        return self._binding.credential_id, self._binding.organization_id, self._binding.provider
