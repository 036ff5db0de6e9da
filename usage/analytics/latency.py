"""How long each model takes to answer: median and 95th percentile, from the rollup's buckets.

One query; see `usage.analytics.durations` for how exact the figures are. Failed calls are not in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from leadagent.tenants.models import Organization
from usage.analytics import durations

_LATENCY = """
SELECT provider, model, sum(durations) FROM usage_usagedaily
WHERE organization_id = %s AND day >= %s AND day < %s AND successes > 0 GROUP BY provider, model
"""


@dataclass(frozen=True, slots=True)
class ModelLatency:
    """Milliseconds that half and 95 in 100 of the `answered` calls did not exceed; None without any."""

    provider: str
    model: str
    answered: int
    p50_ms: int | None
    p95_ms: int | None


def get_latency_by_model(organization: Organization, start: date, end: date) -> list[ModelLatency]:
    """One line per model that answered in the period, most answers first."""
    with connection.cursor() as cursor:
        cursor.execute(_LATENCY, [organization.pk, start, end])
        found = [_latency(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda line: (-line.answered, line.model, line.provider))


def _latency(provider: str, model: str, number: Decimal) -> ModelLatency:
    counts = durations.counts_in(number)
    return ModelLatency(
        provider=provider,
        model=model,
        answered=sum(counts),
        p50_ms=durations.percentile(counts, 0.5),
        p95_ms=durations.percentile(counts, 0.95),
    )
