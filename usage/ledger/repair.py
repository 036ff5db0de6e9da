"""Calls whose answer was lost on the way back: what their provider tells afterwards replaces what we do not know.

The drain notes them (`UnsettledCall`). Here they are handed out to be asked about, ever more
rarely and for about a day in all, and their rows and daily sums are moved by exactly the
difference. Who is asked, and with which key, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from usage.ledger.ingest import COLUMNS, STAGE, moving_rollup
from usage.models import UnsettledCall

# After each question in vain. Providers know a call some seconds after its end; after the last wait it is given up.
WAITS = tuple(
    timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 900, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 8 * 3600)
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A row whose cost is to be asked for."""

    usage_id: UUID
    created_at: datetime
    organization_id: int
    provider: str
    key_owner: str
    credential_id: UUID | None
    provider_request_id: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider tells of a call afterwards. Disjoint buckets; `actual_cost` in US dollars."""

    actual_cost: Decimal
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int


def claim(limit: int) -> list[Unsettled]:
    """Calls whose turn it is. Claimed with that: nobody else is handed them before their next turn.

    Those that were asked for in vain for the last time are dropped: their cost stays unknown.
    """
    now = timezone.now()
    with transaction.atomic():
        due = UnsettledCall.objects.select_for_update(skip_locked=True).filter(next_try_at__lte=now)
        rows = list(due.order_by("next_try_at")[:limit])
        for row in rows:
            if row.attempts >= len(WAITS):
                row.delete()
                continue
            row.next_try_at = now + WAITS[row.attempts]
            row.attempts += 1
            row.save(update_fields=["next_try_at", "attempts"])
    return [
        Unsettled(
            row.usage_id,
            row.usage_created_at,
            row.organization_id,
            row.provider,
            row.key_owner,
            row.credential_id,
            row.provider_request_id,
        )
        for row in rows
        if row.pk is not None
    ]


def give_up(call: Unsettled) -> None:
    """Nobody can be asked about it."""
    UnsettledCall.objects.filter(usage_id=call.usage_id).delete()


# A row whose truth has come in the meantime is left alone.
_TAKE_OUT = """
WITH old AS (
    DELETE FROM usage_aiusage WHERE id = %s AND created_at = %s AND NOT success
    AND actual_cost IS NULL AND estimated_cost IS NULL AND state <> 'repaired' RETURNING *
)
INSERT INTO usage_replaced SELECT * FROM old
"""

# That the answer had begun is certain: its name is known. How far it came, nobody here knows.
_TOLD = {
    "actual_cost": "%(actual_cost)s",
    "input_tokens": "%(input_tokens)s",
    "cached_input_tokens": "%(cached_input_tokens)s",
    "output_tokens": "%(output_tokens)s",
    "reasoning_tokens": "%(reasoning_tokens)s",
    "total_tokens": "cache_write_tokens + %(input_tokens)s + %(cached_input_tokens)s + %(output_tokens)s",
    "error_code": "CASE error_code WHEN 'unreconciled' THEN 'stream_cut' ELSE error_code END",
    "state": "'repaired'",
}
_PUT_BACK = moving_rollup(
    f"INSERT INTO usage_aiusage ({', '.join(COLUMNS)}) "
    f"SELECT {', '.join(_TOLD.get(name, name) for name in COLUMNS)} FROM usage_replaced RETURNING *"
)


def settle(call: Unsettled, told: Told) -> bool:
    """Write what the provider told, and move the daily sum by the difference. False where the truth was there already.

    Safe to repeat: a row is repaired once.
    """
    figures = {name: getattr(told, name) for name in Told.__slots__}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.execute(_TAKE_OUT, [call.usage_id, call.created_at])
        is_open: bool = cursor.rowcount == 1
        if is_open:
            cursor.execute(_PUT_BACK, figures)
        give_up(call)
    return is_open
