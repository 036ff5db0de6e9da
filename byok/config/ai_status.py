"""Where an organisation's AI stands, in one query: for the notice, the badge and the strip on its pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import OuterRef, Subquery

from byok.config.ai_config import byok_allowed
from byok.keys.credentials import FAILING
from byok.models import PLATFORM_DEFAULT, AIConfig, CredentialStatus, ProviderCredential
from byok.provider_names import provider_label
from leadagent.tenants.models import Organization
from usage.models import FreeTierMonth
from usage.spending.quota import FreeTier
from usage.utc_days import first_of_month, month_after

_NO_KEY = "No key"


@dataclass(frozen=True, slots=True)
class AIStatus:
    """`provider` is the one in force: `platform_default` also where own keys are switched off.

    `trouble`: why calls on the own key do not get through, as a word or two; empty where they do.
    """

    provider: str
    free_tier: FreeTier
    allowed: bool
    resets_on: date
    trouble: str = ""

    @property
    def on_platform(self) -> bool:
        return self.provider == PLATFORM_DEFAULT

    @property
    def is_unlimited(self) -> bool:
        return not self.on_platform and not self.trouble

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
    """Provider in force, the state of its key, and this UTC month's free requests."""
    month = first_of_month()
    configs = AIConfig.objects.filter(organization=OuterRef("pk")).values("provider")
    months = FreeTierMonth.objects.filter(organization=OuterRef("pk"), month=month).values("used")
    keys = ProviderCredential.objects.filter(
        organization=OuterRef("pk"), provider=OuterRef("ai_config__provider")
    ).values("status")
    row = Organization.objects.filter(pk=organization.pk).values_list(
        Subquery(configs[:1]), Subquery(months[:1]), Subquery(keys[:1])
    )
    stored, used, key_status = row.first() or (None, None, None)
    allowed = byok_allowed(organization)
    provider = stored if stored and allowed else PLATFORM_DEFAULT
    return AIStatus(
        provider=provider,
        free_tier=FreeTier(used=used or 0, limit=settings.FREE_TIER_REQUESTS),
        allowed=allowed,
        resets_on=month_after(month),
        trouble="" if provider == PLATFORM_DEFAULT else _trouble(key_status),
    )


def _trouble(status: str | None) -> str:
    if status is None:
        return _NO_KEY
    return CredentialStatus(status).label if status in FAILING else ""
