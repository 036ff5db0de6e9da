"""Which key was used how often, per UTC day and operation: what a tenant can list of its keys' openings.

Counted from the usage rows: each of an own key's calls opened that key once for its
exchange (a call that never reached the provider too). Not counted here are openings
without a usage row: re-checks (once a day per key, and whenever an admin asks; the key's
row tells when the latest was), rotations of the secret and undone replacements, which the
audit log holds. A key typed in for a test is not a stored one, so it is not opened at all.

A day is written once, from 02:00 UTC of the next day: by then the inbox is long drained, and
calls that were spooled on a local disk while PostgreSQL was away have mostly arrived. What
arrives later is in the usage log, but no longer in the day's figure.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from byok.models import KeyUseDay
from leadagent.tenants import audit
from leadagent.tenants.models import Organization

COMPLETE_FROM_HOUR = 2
# A beat that was away for a day does not leave a hole.
_DAYS_BACK = 2

_COUNT = """
SELECT organization_id, credential_id, provider, sum(calls)::bigint, jsonb_object_agg(operation, calls)::text
FROM (
    SELECT organization_id, credential_id, provider, operation, count(*) AS calls
    FROM usage_aiusage
    WHERE created_at >= %s AND created_at < %s AND credential_id IS NOT NULL
    GROUP BY organization_id, credential_id, provider, operation
) AS counted
GROUP BY organization_id, credential_id, provider
ORDER BY organization_id, credential_id
"""

_INSERT = """
INSERT INTO byok_keyuseday (organization_id, credential_id, provider, day, calls, operations)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (credential_id, day) DO NOTHING RETURNING id
"""


def note_recent_key_use(now: datetime) -> int:
    """Write the latest complete days that are not written yet; returns how many rows are new.

    Days that have rows are counted again in one hour of the day only: counting reads a whole day's usage.
    """
    now = now.astimezone(UTC)
    if now.hour < COMPLETE_FROM_HOUR:
        return 0
    days = [now.date() - timedelta(days=back) for back in range(1, _DAYS_BACK + 1)]
    return sum(
        note_key_use(day)
        for day in days
        if now.hour == COMPLETE_FROM_HOUR or not KeyUseDay.objects.filter(day=day).exists()
    )


def note_key_use(day: date) -> int:
    """Write one row and one audit event per key used on `day` (UTC); returns how many are new. Safe to run twice."""
    start = datetime.combine(day, time.min, UTC)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [start, start + timedelta(days=1)])
        counted = cursor.fetchall()
    written = set(KeyUseDay.objects.filter(day=day).values_list("credential_id", flat=True))
    # Usage outlives its organisation; this listing does not.
    organizations = Organization.objects.in_bulk({row[0] for row in counted if row[1] not in written})
    new = 0
    for organization_id, credential_id, provider, calls, operations in counted:
        organization = organizations.get(organization_id)
        if organization is None or credential_id in written:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_INSERT, [organization_id, credential_id, provider, day, calls, operations])
            if cursor.fetchone() is None:
                continue
            audit.record(
                "key.used",
                organization=organization,
                target=provider,
                after={
                    "credential_id": str(credential_id),
                    "day": day.isoformat(),
                    "calls": calls,
                    "operations": json.loads(operations),
                },
            )
            new += 1
    return new
