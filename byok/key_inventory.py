"""Which secret the stored keys need, by what their envelopes say. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from byok.encryption import VERSION, current_key_id, previous_key_ids

# An envelope of another version, or a text that is none: no secret opens it.
_COUNT = """
SELECT CASE WHEN starts_with(sealed_key, %(version)s) THEN split_part(sealed_key, ':', 2) ELSE '' END, count(*)
FROM (
    SELECT sealed_key FROM byok_providercredential
    UNION ALL SELECT sealed_key FROM byok_supersededkey
    UNION ALL SELECT sealed FROM usage_alertsecret
) every GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class KeyInventory:
    """How many stored keys each secret has sealed.

    Replaced ones that can still be brought back and secrets of alert channels are among them.
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
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"version": f"{VERSION}:"})
        counts = dict(cursor.fetchall())
    return KeyInventory(counts, current_key_id(), previous_key_ids())
