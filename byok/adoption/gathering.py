"""How far bring-your-own-key has come: the product's success metrics, from rollups and the audit log.

An organisation is "on BYOK" when its saved configuration names a provider of its own; the backfill's
rows, which nobody saved (version 0), name none. Periods are UTC days, half-open, and end tomorrow: today
is in them. What cannot be known is None, never zero. Every figure is summed by the database; the number
of queries is the same for ten organisations and for ten thousand. What follows from the sums is worked
out in `byok.adoption.sums`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import TruncMonth

from byok.adoption.sums import RollupGroup
from byok.connecting.openrouter import OPENROUTER
from byok.models import PLATFORM_DEFAULT, AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization
from usage.models import AIUsage, DeadLetter, FreeTierMonth, InboxKind, KeyOwner, UsageDaily, UsageInbox, UsageState

PERIODS = (30, 90, 365)

# Days on each side of an organisation's first own configuration.
WINDOW = 30


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days: `start` is in, `end` is not."""

    start: date
    end: date

    @classmethod
    def last(cls, days: int, *, today: date | None = None) -> Period:
        """The last `days` days, today included."""
        end = (today or datetime.now(UTC).date()) + timedelta(days=1)
        return cls(end - timedelta(days=days), end)

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The same as moments, for columns that hold a time."""
        return datetime.combine(self.start, time.min, UTC), datetime.combine(self.end, time.min, UTC)


@dataclass(frozen=True, slots=True)
class MonthShare:
    """How many of the organisations that were there at the end of `month` (or now) were on BYOK."""

    month: date
    on_byok: int
    organizations: int


@dataclass(frozen=True, slots=True)
class Organizations:
    """Where organisations stand now: `by_provider` counts those on BYOK, `without_key` those of them with no key."""

    total: int
    by_provider: dict[str, int]
    without_key: int

    @property
    def on_byok(self) -> int:
        return sum(self.by_provider.values())

    @property
    def direct(self) -> int:
        """On BYOK with a vendor itself, not by way of OpenRouter."""
        return self.on_byok - self.by_provider.get(OPENROUTER, 0)


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


@dataclass(frozen=True, slots=True)
class ModelDiversity:
    models: int
    organizations: int
    median_per_organization: float | None


@dataclass(frozen=True, slots=True)
class ErrorCount:
    provider: str
    code: str
    calls: int


@dataclass(frozen=True, slots=True)
class FreeTierUse:
    """A month's organisations that used the free tier at all, and those that used it up."""

    month: date
    used: int
    used_up: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`unreconciled`: calls of the period whose end is not known. `put_aside` and `waiting`: events, now."""

    unreconciled: int
    put_aside: int
    waiting: int


@dataclass(frozen=True, slots=True)
class KeyState:
    provider: str
    status: str
    keys: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """Everything that the page shows, except what it measures on the spot."""

    period: Period
    organizations: Organizations
    trend: Sequence[MonthShare]
    first_configuration: FirstConfiguration
    before_after: BeforeAfter
    rollup: Sequence[RollupGroup]
    diversity: ModelDiversity
    own_key_errors: Sequence[ErrorCount]
    free_tier: Sequence[FreeTierUse]
    accuracy: Accuracy
    key_states: Sequence[KeyState]


def adoption(period: Period) -> Adoption:
    """All figures of the period, in a fixed number of queries."""
    return Adoption(
        period=period,
        organizations=organizations_now(),
        trend=byok_trend(period),
        first_configuration=time_to_first_configuration(period),
        before_after=requests_before_and_after(period),
        rollup=rollup_groups(period),
        diversity=model_diversity(period),
        own_key_errors=own_key_errors(period),
        free_tier=free_tier_use(period),
        accuracy=tracking_accuracy(period),
        key_states=key_states(),
    )


def organizations_now() -> Organizations:
    own = AIConfig.objects.exclude(provider=PLATFORM_DEFAULT)
    key = ProviderCredential.objects.filter(organization=OuterRef("organization"), provider=OuterRef("provider"))
    counted = own.values("provider").annotate(n=Count("pk"), keyless=Count("pk", filter=~Exists(key)))
    rows = list(counted.order_by("provider"))
    return Organizations(
        total=Organization.objects.count(),
        by_provider={row["provider"]: row["n"] for row in rows},
        without_key=sum(row["keyless"] for row in rows),
    )


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
        "last": (period.end - timedelta(days=1)).replace(day=1),
        "now": period.moments[1],
        "own": list(REGISTRY),
    }
    return [MonthShare(*row) for row in _rows(_TREND, values)]


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
    [row] = _rows(_TIME_TO_FIRST, {"own": list(REGISTRY), "start": start, "end": end})
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
    [row] = _rows(_BEFORE_AFTER, values)
    return BeforeAfter(*row)


def rollup_groups(period: Period) -> list[RollupGroup]:
    """The period's daily usage, summed per month, provider, model and whose key."""
    days = UsageDaily.objects.filter(day__gte=period.start, day__lt=period.end)
    summed = days.annotate(month=TruncMonth("day")).values("month", "provider", "model", "key_owner")
    rows = summed.annotate(
        calls=Sum("requests"),
        succeeded=Sum("successes"),
        unpriced=Sum("unpriced_requests"),
        cost=Sum(F("actual_cost") + F("estimated_cost")),
        input=Sum(F("input_tokens") + F("cached_input_tokens") + F("cache_write_tokens")),
        output=Sum("output_tokens"),
        tokens=Sum("total_tokens"),
    )
    return [RollupGroup(**row) for row in rows.order_by("month", "provider", "model", "key_owner")]


_DIVERSITY = """
WITH used AS (
    SELECT organization_id, count(DISTINCT model) AS models FROM usage_usagedaily
    WHERE day >= %(start)s AND day < %(end)s AND successes > 0 GROUP BY organization_id
)
SELECT (SELECT count(DISTINCT model) FROM usage_usagedaily
        WHERE day >= %(start)s AND day < %(end)s AND successes > 0),
       count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY models) FROM used
"""


def model_diversity(period: Period) -> ModelDiversity:
    [row] = _rows(_DIVERSITY, {"start": period.start, "end": period.end})
    return ModelDiversity(*row)


def own_key_errors(period: Period) -> list[ErrorCount]:
    """Failed calls on customers' own keys, most frequent first."""
    start, end = period.moments
    failed = AIUsage.objects.filter(
        created_at__gte=start, created_at__lt=end, success=False, key_owner=KeyOwner.CUSTOMER
    ).exclude(state=UsageState.UNRECONCILED)
    rows = failed.values("provider", "error_code").annotate(n=Count("id")).order_by("-n", "provider", "error_code")
    return [ErrorCount(row["provider"], row["error_code"], row["n"]) for row in rows]


def free_tier_use(period: Period) -> list[FreeTierUse]:
    """Measured against today's limit; months of the period, the current one included."""
    months = FreeTierMonth.objects.filter(month__gte=period.start.replace(day=1), month__lt=period.end, used__gt=0)
    full = Count("pk", filter=Q(used__gte=settings.FREE_TIER_REQUESTS))
    rows = months.values("month").annotate(used_any=Count("pk"), full=full).order_by("month")
    return [FreeTierUse(row["month"], row["used_any"], row["full"]) for row in rows]


def tracking_accuracy(period: Period) -> Accuracy:
    start, end = period.moments
    lost = AIUsage.objects.filter(
        created_at__gte=start, created_at__lt=end, success=False, state=UsageState.UNRECONCILED
    )
    waiting = UsageInbox.objects.exclude(kind=InboxKind.ANSWERED)
    return Accuracy(lost.count(), DeadLetter.objects.count(), waiting.count())


def key_states() -> list[KeyState]:
    rows = ProviderCredential.objects.values("provider", "status").annotate(n=Count("pk"))
    return [KeyState(row["provider"], row["status"], row["n"]) for row in rows.order_by("provider", "status")]


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
