"""An organisation's AI configuration as its calls follow it.

Reading never opens a key. The stored provider decides where a call goes, nothing else:
a missing or unreadable key is an error, never a reason to use another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from byok.config.values import CHAT_OPERATIONS
from byok.models import PLATFORM_DEFAULT, AIConfig, FallbackConsent, ProviderCredential
from leadagent.tenants.models import Organization

ModelKind = Literal["chat", "embedding"]


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """What an organisation's calls use right now. Holds no key.

    `provider` and `embedding_provider` may be `platform_default`; the latter is empty
    where the organisation's provider offers no embeddings.
    """

    organization_id: int
    provider: str
    chat_model: str
    embedding_provider: str
    embedding_model: str
    operation_models: Mapping[str, str]
    # operation -> models that take over, in order, on the same key.
    further_models: Mapping[str, Sequence[str]]
    openrouter_site_url: str
    openrouter_site_name: str
    usage_tracking: bool
    # operation -> consent; what is not named never falls back.
    fallback: Mapping[str, str]
    version: int
    credentials: Mapping[str, ProviderCredential]

    @property
    def is_customer_key(self) -> bool:
        return self.provider != PLATFORM_DEFAULT

    def chat_model_for(self, operation: str) -> str:
        """The chat model of one operation."""
        return self.operation_models.get(operation) or self.chat_model

    def provider_for(self, operation: str) -> str:
        """The provider of one operation; empty where embeddings have none."""
        return self.embedding_provider if operation == "embedding" else self.provider

    def meant_model(self, operation: str) -> str:
        """The model that an operation is meant to run on."""
        return self.embedding_model if operation == "embedding" else self.chat_model_for(operation)

    def further_models_for(self, operation: str) -> list[str]:
        """The models that take over from the operation's own one when that cannot answer, in order."""
        meant = self.meant_model(operation)
        return [name for name in self.further_models.get(operation, ()) if name != meant]

    @property
    def chosen_chat_models(self) -> list[str]:
        """Every chat model that some operation may use, the general one first, each once."""
        further = [name for operation in CHAT_OPERATIONS for name in self.further_models.get(operation, ())]
        return list(dict.fromkeys([self.chat_model, *self.operation_models.values(), *further]))

    def consent_for(self, operation: str) -> FallbackConsent:
        """Whether this operation may go on with the platform's AI when the own key fails."""
        consent = self.fallback.get(operation, "")
        return FallbackConsent(consent) if consent in FallbackConsent else FallbackConsent.NEVER

    @property
    def credential(self) -> ProviderCredential | None:
        """The key of the chat provider, where one is stored."""
        return self.credentials.get(self.provider)


def byok_allowed(organization: Organization) -> bool:
    """Whether this organisation may use keys of its own (the operator's feature flag)."""
    if not settings.BYOK_ENABLED:
        return False
    if not settings.BYOK_ALLOWED_ORGS:
        return True
    return not settings.BYOK_ALLOWED_ORGS.isdisjoint({organization.slug, organization.external_id})


def get_ai_config(organization: Organization) -> EffectiveConfig:
    """The configuration that calls of this organisation follow; the platform's default where none is stored."""
    stored = AIConfig.objects.filter(organization=organization).first()
    credentials = {row.provider: row for row in ProviderCredential.objects.filter(organization=organization)}
    return in_force(organization, stored, credentials)


def in_force(
    organization: Organization, stored: AIConfig | None, credentials: Mapping[str, ProviderCredential]
) -> EffectiveConfig:
    """What is stored, under the operator's settings of this moment."""
    if stored is None or not byok_allowed(organization):
        # How much detail is kept is the organisation's choice, whoever's key is in use.
        tracking = stored.usage_tracking if stored else True
        stored = AIConfig(
            organization=organization, embedding_provider=PLATFORM_DEFAULT, usage_tracking=tracking, version=0
        )
    on_platform = stored.provider == PLATFORM_DEFAULT
    embedding_on_platform = stored.embedding_provider == PLATFORM_DEFAULT
    return EffectiveConfig(
        organization_id=organization.pk,
        provider=stored.provider,
        chat_model=settings.PLATFORM_CHAT_MODEL if on_platform else stored.chat_model,
        embedding_provider=stored.embedding_provider,
        embedding_model=settings.PLATFORM_EMBEDDING_MODEL if embedding_on_platform else stored.embedding_model,
        operation_models={} if on_platform else stored.operation_models,
        further_models={} if on_platform else stored.further_models,
        openrouter_site_url=stored.openrouter_site_url,
        openrouter_site_name=stored.openrouter_site_name,
        usage_tracking=stored.usage_tracking,
        fallback=stored.fallback,
        version=stored.version,
        credentials=credentials,
    )
