"""When organisations came to a provider of their own, as the audit log tells it.

An organisation's configuration holds from the moment at which it was saved to the next save.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from byok.adoption.period import Period
from byok.adoption.queries import rows_of
from byok.providers import REGISTRY
from usage.utc_days import DAY

# Days on each side of an organisation's first own configuration.
WINDOW = 30


@dataclass(frozen=True, slots=True)
class MonthShare:
    """How many of the organisations that were there at the end of `month` (or now) were on BYOK."""

    month: date
    on_byok: int
    organizations: int


@dataclass(frozen=True, slots=True)
class FirstConfiguration:
    """Days from an organisation's creation to its first own configuration, of those first ones in the period."""

    organizations: int
    median_days: float | None
    p90_days: float | None


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Mean requests of an organisation in the days before and after its first own configuration."""

    organizations: int
    before: float | None
    after: float | None


# Whatever is saved through leaves an `ai_config.…` event with the provider that holds from then on.
_CONFIGURED = "action LIKE 'ai\\_config.%%' AND after ->> 'provider' IS NOT NULL AND organization_id IS NOT NULL"

_TREND = f"""
WITH held AS (
    SELECT organization_id, after ->> 'provider' AS provider, created_at AS since,
           lead(created_at) OVER (PARTITION BY organization_id ORDER BY created_at, id) AS until
    FROM tenants_auditevent WHERE {_CONFIGURED}
), months AS (
    SELECT month::date AS month, least(month + interval '1 month', %(now)s) AS at
    FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 month') AS month
)
SELECT months.month,
       (SELECT count(*) FROM held WHERE since < months.at AND (until IS NULL OR until >= months.at)
        AND provider = ANY(%(own)s)),
       (SELECT count(*) FROM tenants_organization WHERE created_at < months.at)
FROM months ORDER BY months.month
"""  # noqa: S608  # constants of this module


def byok_trend(period: Period) -> list[MonthShare]:
    """Month by month, from the audit log: the last configuration that each organisation had saved by then."""
    values = {
        "first": period.start.replace(day=1),
        "last": (period.end - DAY).replace(day=1),
        "now": period.moments[1],
        "own": list(REGISTRY),
    }
    return [MonthShare(*row) for row in rows_of(_TREND, values)]


# An organisation whose first own configuration was brought over chose it elsewhere: nothing is known of its way here.
_FIRST_OWN = f"""
SELECT organization_id, created_at AS at FROM (
    SELECT DISTINCT ON (organization_id) organization_id, created_at, action FROM tenants_auditevent
    WHERE {_CONFIGURED} AND after ->> 'provider' = ANY(%(own)s) ORDER BY organization_id, created_at, id
) AS earliest WHERE action = 'ai_config.saved'
"""  # noqa: S608  # constants of this module

_TIME_TO_FIRST = f"""
WITH first_own AS ({_FIRST_OWN}), waited AS (
    SELECT extract(epoch FROM greatest(first_own.at - organization.created_at, interval '0')) / 86400 AS days
    FROM first_own JOIN tenants_organization AS organization ON organization.id = first_own.organization_id
    WHERE first_own.at >= %(start)s AND first_own.at < %(end)s
)
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY days), percentile_cont(0.9) WITHIN GROUP (ORDER BY days)
FROM waited
"""  # noqa: S608  # constants of this module


def time_to_first_configuration(period: Period) -> FirstConfiguration:
    start, end = period.moments
    [row] = rows_of(_TIME_TO_FIRST, {"own": list(REGISTRY), "start": start, "end": end})
    return FirstConfiguration(*row)


_BEFORE_AFTER = f"""
WITH first_own AS ({_FIRST_OWN}), whole AS (
    SELECT first_own.organization_id, (first_own.at AT TIME ZONE 'UTC')::date AS day
    FROM first_own JOIN tenants_organization AS organization ON organization.id = first_own.organization_id
    WHERE (organization.created_at AT TIME ZONE 'UTC')::date <= (first_own.at AT TIME ZONE 'UTC')::date - %(window)s
    AND (first_own.at AT TIME ZONE 'UTC')::date + %(window)s BETWEEN %(start)s AND %(end)s - 1
), counted AS (
    SELECT whole.organization_id,
           coalesce(sum(daily.requests) FILTER (WHERE daily.day < whole.day), 0) AS before,
           coalesce(sum(daily.requests) FILTER (WHERE daily.day >= whole.day), 0) AS after
    FROM whole LEFT JOIN usage_usagedaily AS daily ON daily.organization_id = whole.organization_id
    AND daily.day >= whole.day - %(window)s AND daily.day < whole.day + %(window)s
    GROUP BY whole.organization_id
)
SELECT count(*), avg(before)::float, avg(after)::float FROM counted
"""  # noqa: S608  # constants of this module


def requests_before_and_after(period: Period) -> BeforeAfter:
    """Only organisations that were there for all the days before, and whose days after ended in the period."""
    values = {"own": list(REGISTRY), "window": WINDOW, "start": period.start, "end": period.end}
    [row] = rows_of(_BEFORE_AFTER, values)
    return BeforeAfter(*row)
