"""Calls whose end never came: their process died between the provider's answer and our record of it."""

from __future__ import annotations

import json
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

# Longer than any call may take: only then is a start without an end a lost end.
UNRECONCILED_AFTER = timedelta(minutes=15)


def reconcile() -> int:
    """Turn starts whose end never came into `unreconciled` rows: shown as such, never as zero cost.

    Returns how many. The row's truth, should it still come (from the spool), replaces it.
    """
    before = timezone.now() - UNRECONCILED_AFTER
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, [json.dumps(_UNRECONCILED), before])
        moved: int = cursor.rowcount
        cursor.execute(_SWEEP_OVERTAKEN)
        cursor.execute(_SWEEP_NAMES, [before])
    return moved


# Starts that came after their end was drained: from a disk, or from a process that had held them.
_SWEEP_OVERTAKEN = """
DELETE FROM usage_usageinbox AS begun USING usage_aiusage AS ended
WHERE begun.kind = 'started' AND ended.id = begun.event_id AND ended.created_at = CASE
    WHEN pg_input_is_valid(begun.payload->>'created_at', 'timestamptz')
    THEN (begun.payload->>'created_at')::timestamptz END
"""

# Names of generations whose end was drained before they came.
_SWEEP_NAMES = """
DELETE FROM usage_usageinbox AS told WHERE kind = 'answered' AND received_at < %s AND NOT EXISTS (
    SELECT 1 FROM usage_usageinbox AS other WHERE other.event_id = told.event_id AND other.kind <> 'answered'
)
"""

# With the generation's name, where the answer had begun.
_GIVE_UP = """
UPDATE usage_usageinbox AS given_up SET kind = 'finished', payload = payload || %s::jsonb || coalesce(
    (SELECT jsonb_build_object('provider_request_id', told.payload->'provider_request_id')
     FROM usage_usageinbox AS told WHERE told.event_id = given_up.event_id AND told.kind = 'answered' LIMIT 1),
    '{}'::jsonb)
WHERE seq IN (
    SELECT seq FROM usage_usageinbox AS begun WHERE kind = 'started' AND received_at < %s
    AND NOT EXISTS (SELECT 1 FROM usage_usageinbox AS ended
                    WHERE ended.event_id = begun.event_id AND ended.kind = 'finished')
    FOR UPDATE SKIP LOCKED
)
"""

_UNRECONCILED = {
    "success": False,
    "error_code": "unreconciled",
    "error_message": "",
    "provider_request_id": "",
    "input_tokens": 0,
    "cached_input_tokens": 0,
    "cache_write_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "total_tokens": 0,
    "price_version": "",
    "state": "unreconciled",
}
