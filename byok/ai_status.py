"""Where an organisation's AI stands, in one query: for the notice, the badge and the strip on its pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import OuterRef, Subquery

from byok.config import byok_allowed
from byok.current_setup import provider_label
from byok.models import PLATFORM_DEFAULT, AIConfig
from leadagent.tenants.models import Organization
from usage.models import FreeTierMonth
from usage.partitions import month_after
from usage.quota import FreeTier, current_month


@dataclass(frozen=True, slots=True)
class AIStatus:
    """`provider` is the one in force: `platform_default` also where own keys are switched off."""

    provider: str
    free_tier: FreeTier
    allowed: bool
    resets_on: date

    @property
    def on_platform(self) -> bool:
        return self.provider == PLATFORM_DEFAULT

    @property
    def is_unlimited(self) -> bool:
        return not self.on_platform

    @property
    def provider_label(self) -> str:
        """The provider's name, or `Platform AI`."""
        return provider_label(self.provider)

    @property
    def is_short(self) -> bool:
        """The platform's free requests are used up, or nearly."""
        return self.on_platform and self.free_tier.limit > 0 and self.free_tier.used >= self.free_tier.warn_from

    @property
    def is_used_up(self) -> bool:
        return self.on_platform and self.free_tier.left == 0


def ai_status_of(organization: Organization) -> AIStatus:
    """Provider in force and this UTC month's free requests."""
    month = current_month()
    configs = AIConfig.objects.filter(organization=OuterRef("pk")).values("provider")
    months = FreeTierMonth.objects.filter(organization=OuterRef("pk"), month=month).values("used")
    row = Organization.objects.filter(pk=organization.pk).values_list(Subquery(configs[:1]), Subquery(months[:1]))
    provider, used = row.first() or (None, None)
    allowed = byok_allowed(organization)
    return AIStatus(
        provider=(provider or PLATFORM_DEFAULT) if allowed else PLATFORM_DEFAULT,
        free_tier=FreeTier(used=used or 0, limit=settings.FREE_TIER_REQUESTS),
        allowed=allowed,
        resets_on=month_after(month),
    )
