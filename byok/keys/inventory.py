"""Which secret the stored keys need, by what their envelopes say. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from psycopg.sql import SQL, Identifier

from byok.encryption import VERSION, current_key_id, previous_key_ids
from byok.models import ProviderCredential, SupersededKey
from usage.alerting.sealing import sealed_tables

# An envelope of another version, or a text that is none: no secret opens it.
_COUNT = SQL("""
SELECT CASE WHEN starts_with(sealed, %(version)s) THEN split_part(sealed, ':', 2) ELSE '' END, count(*)
FROM ({every}) every GROUP BY 1
""")
_KEYS = (ProviderCredential, SupersededKey)


@dataclass(frozen=True, slots=True)
class KeyInventory:
    """How many stored keys each secret has sealed.

    Replaced ones that can still be brought back are among them, and so are secrets of alert channels and webhooks.
    """

    counts: dict[str, int]
    current: str
    # As configured.
    previous: list[str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def under_current(self) -> int:
        return self.counts.get(self.current, 0)

    @property
    def left(self) -> int:
        """Keys that are not under the current secret."""
        return self.total - self.under_current

    @property
    def unknown(self) -> list[str]:
        """Names of secrets that sealed a key and are not configured."""
        return sorted(set(self.counts) - {self.current, *self.previous})


def take_inventory() -> KeyInventory:
    """Count the stored keys by the secret that sealed them."""
    sealed = [(table, "sealed_key") for table in _KEYS] + [(table, "sealed") for table in sealed_tables()]
    every = SQL(" UNION ALL ").join(
        SQL("SELECT {} AS sealed FROM {}").format(Identifier(column), Identifier(table._meta.db_table))
        for table, column in sealed
    )
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(every=every), {"version": f"{VERSION}:"})
        counts = dict(cursor.fetchall())
    return KeyInventory(counts, current_key_id(), previous_key_ids())
