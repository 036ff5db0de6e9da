"""How much each model is used by all organisations together, where so many use it that it tells of none of them."""

from __future__ import annotations

from django.db import connection

from usage.utc_days import last_days

DAYS = 30
# With fewer, a count would tell one organisation about another.
LEAST_ORGANIZATIONS = 3

_COUNT = """
WITH used AS (
    SELECT provider, model, sum(requests) AS requests FROM usage_usagedaily
    WHERE day >= %(start)s AND day < %(end)s
    GROUP BY provider, model HAVING count(DISTINCT organization_id) >= %(least)s
)
UPDATE byok_catalogmodel AS m SET popularity = coalesce(used.requests, 0)
FROM byok_catalogmodel AS all_models
LEFT JOIN used ON used.provider = all_models.route AND used.model = all_models.model_id
WHERE m.id = all_models.id AND m.organization_id IS NULL AND m.popularity <> coalesce(used.requests, 0)
"""


def count_popularity() -> int:
    """Write the calls of the last 30 UTC days to `CatalogModel.popularity`; returns how many rows changed."""
    start, end = last_days(DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"start": start, "end": end, "least": LEAST_ORGANIZATIONS})
        changed: int = cursor.rowcount
    return changed
