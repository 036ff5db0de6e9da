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
from datetime import date

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import TruncMonth

from byok.adoption.period import Period
from byok.adoption.queries import rows_of
from byok.adoption.saved_configurations import (
    BeforeAfter,
    FirstConfiguration,
    MonthShare,
    byok_trend,
    requests_before_and_after,
    time_to_first_configuration,
)
from byok.adoption.sums import RollupGroup
from byok.connecting.openrouter import OPENROUTER
from byok.models import PLATFORM_DEFAULT, AIConfig, ProviderCredential
from leadagent.tenants.models import Organization
from usage.models import AIUsage, DeadLetter, FreeTierMonth, InboxKind, KeyOwner, UsageDaily, UsageInbox, UsageState


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
    [row] = rows_of(_DIVERSITY, {"start": period.start, "end": period.end})
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
