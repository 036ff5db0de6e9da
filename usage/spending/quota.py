"""The free tier: so many requests on the platform's key per organisation and UTC month.

A request is reserved before it is sent, by one atomic statement, and given back only
when nothing was sent or the provider refused it unbilled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg
from django.conf import settings
from psycopg_pool import PoolTimeout

from usage.models import FreeTierMonth
from usage.recording import durable
from usage.utc_days import first_of_month

_RESERVE = """
INSERT INTO usage_freetiermonth AS mine (organization_id, month, used, updated_at)
SELECT %(organization)s, %(month)s, 1, now() WHERE %(limit)s > 0
ON CONFLICT (organization_id, month) DO UPDATE SET used = mine.used + 1, updated_at = now()
WHERE mine.used < %(limit)s
RETURNING used
"""
_RELEASE = "UPDATE usage_freetiermonth SET used = used - 1 WHERE organization_id = %s AND month = %s AND used > 0"


class QuotaUnavailable(Exception):
    """PostgreSQL could not be asked: what cannot be counted is not sent."""


@dataclass(frozen=True, slots=True)
class Reservation:
    organization_id: int
    month: date


@dataclass(frozen=True, slots=True)
class FreeTier:
    """Where an organisation stands this UTC month."""

    used: int
    limit: int

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)

    @property
    def in_words(self) -> str:
        return f"{self.used} of {self.limit}"

    @property
    def warn_from(self) -> int:
        """From here on a meter warns: nine tenths of the limit (45 of 50)."""
        return self.limit * 9 // 10


def reserve_free_request(organization_id: int) -> Reservation | None:
    """Take one of this month's free requests, or None when all are taken. Exact at any concurrency."""
    month = first_of_month()
    values = {
        "organization": organization_id,
        "month": month,
        "limit": settings.FREE_TIER_REQUESTS,
    }
    try:
        with durable.connection() as connection:
            granted = connection.execute(_RESERVE, values).fetchone()
    except (psycopg.OperationalError, PoolTimeout):
        raise QuotaUnavailable from None
    return Reservation(organization_id, month) if granted else None


def release_free_request(reservation: Reservation) -> None:
    """Give a reservation back. If PostgreSQL is away the request stays counted: never in anybody's favour twice."""
    try:
        with durable.connection() as connection:
            connection.execute(_RELEASE, (reservation.organization_id, reservation.month))
    except (psycopg.OperationalError, PoolTimeout):
        return


def free_tier_of(organization_id: int) -> FreeTier:
    """Used and limit of the current UTC month, for pages."""
    used = (
        FreeTierMonth.objects.filter(organization_id=organization_id, month=first_of_month())
        .values_list("used", flat=True)
        .first()
    )
    return FreeTier(used=used or 0, limit=settings.FREE_TIER_REQUESTS)
