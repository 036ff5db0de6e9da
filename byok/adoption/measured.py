"""Speeds, measured on the spot: a small sample of the real thing by the process that serves the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID

from django.db.models import Sum

from byok.encryption import KeyBinding, decrypt_api_key, encrypt_api_key
from byok.errors import AIError
from byok.models import PLATFORM_DEFAULT, AIConfig
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from usage.analytics import get_monthly_usage_stats
from usage.models import UsageDaily
from usage.utc_days import current_month

RESOLVES = 20
SEALINGS = 100
DASHBOARDS = 3

_NOBODY = KeyBinding(organization_id=0, provider="measurement", credential_id=UUID(int=0))


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds over `runs` runs; None where there was nothing to run."""

    runs: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    resolve: Speed
    encrypt: Speed
    decrypt: Speed
    dashboard: Speed


def measure() -> Measured:
    """Takes some tens of milliseconds; opens no stored key and writes nothing."""
    return Measured(
        resolve=_resolves(),
        encrypt=speed([_timed(lambda: encrypt_api_key("made-up text", binding=_NOBODY)) for _ in range(SEALINGS)]),
        decrypt=_decrypts(),
        dashboard=_dashboards(),
    )


def speed(samples: list[float]) -> Speed:
    """Median and 95th percentile (nearest rank) of samples in milliseconds."""
    ordered = sorted(samples)
    if not ordered:
        return Speed(0, None, None)
    last = len(ordered) - 1
    return Speed(len(ordered), ordered[last // 2], ordered[min(last, round(0.95 * last))])


def _resolves() -> Speed:
    """Organisations in turn, those on their own key first: what every AI call goes through before it is sent."""
    own = AIConfig.objects.exclude(provider=PLATFORM_DEFAULT).order_by("-updated_at").values("organization_id")[:5]
    chosen = list(Organization.objects.filter(pk__in=[row["organization_id"] for row in own]).order_by("pk"))
    chosen = chosen or list(Organization.objects.order_by("-pk")[:5])
    if not chosen:
        return speed([])
    return speed([_timed(_resolve(chosen[run % len(chosen)])) for run in range(RESOLVES)])


def _resolve(organization: Organization) -> Callable[[], None]:
    def once() -> None:
        try:
            get_model_for_tenant(organization, "chat", operation="qualification")
        except AIError:
            # Refusing takes its time, too.
            return

    return once


def _decrypts() -> Speed:
    sealed = encrypt_api_key("made-up text", binding=_NOBODY)
    return speed([_timed(lambda: decrypt_api_key(sealed, binding=_NOBODY)) for _ in range(SEALINGS)])


def _dashboards() -> Speed:
    """The sums of the usage dashboard for the organisation with most calls this month."""
    start, end = current_month()
    days = UsageDaily.objects.filter(day__gte=start, day__lt=end)
    busiest = days.values("organization_id").annotate(n=Sum("requests")).order_by("-n", "organization_id").first()
    organization = Organization.objects.filter(pk=busiest["organization_id"]).first() if busiest else None
    if organization is None:
        return speed([])
    return speed([_timed(lambda: get_monthly_usage_stats(organization)) for _ in range(DASHBOARDS)])


def _timed(act: Callable[[], object]) -> float:
    begun = perf_counter()
    act()
    return (perf_counter() - begun) * 1000
