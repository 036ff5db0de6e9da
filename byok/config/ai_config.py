"""An organisation's AI configuration: reading it for use and for show, and saving it.

Reading never opens a key. The stored provider decides where a call goes, nothing else:
a missing or unreadable key is an error, never a reason to use another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from byok.checking.reports import ConnectionReport
from byok.config.values import (
    CHAT_OPERATIONS,
    OPERATIONS,
    InvalidConfig,
    ModelChoice,
    check_api_key,
    check_cost_alert,
    check_site,
    validated_choice,
    validated_fallback,
)
from byok.keys.stored import remove_api_key, store_key
from byok.models import PLATFORM_DEFAULT, AIConfig, FallbackConsent, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert

ModelKind = Literal["chat", "embedding"]

__all__ = [
    "CHAT_OPERATIONS",
    "KEEP",
    "OPERATIONS",
    "ConfigConflict",
    "EffectiveConfig",
    "InvalidConfig",
    "ModelKind",
    "byok_allowed",
    "check_api_key",
    "get_ai_config",
    "save_ai_config",
]

# What a save does with the stored key when no new one was given. Nobody can type it: a key is printable.
KEEP: Final = "\x00keep"


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


class ConfigConflict(Exception):
    """Somebody saved in between: the form or call was made from an older version."""


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


def save_ai_config(
    organization: Organization,
    *,
    provider: str,
    chat_model: str = "",
    embedding_provider: str | None = None,
    embedding_model: str = "",
    operation_models: Mapping[str, str] | None = None,
    further_models: Mapping[str, Sequence[str]] | None = None,
    api_key: str | None = KEEP,
    openrouter_site_url: str = "",
    openrouter_site_name: str = "",
    usage_tracking: bool = True,
    fallback: Mapping[str, str] | None = None,
    cost_alert: CostAlertChoice | None = None,
    version: int | None = None,
    report: ConnectionReport | None = None,
    is_import: bool = False,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> AIConfig:
    """Save provider, models and, where given, the provider's key, without asking the provider.

    Pages and the API go through `byok.checking.proving.prove_and_save`, which tests a new key first.

    `api_key`: a text replaces the stored key of `provider`, `KEEP` leaves it, None removes it.
    `embedding_provider`: None follows the chat provider where that one offers embeddings.
    `operation_models`, `further_models`, `fallback`, `cost_alert`: None keeps what is stored.
    `version`: what the caller read; None saves whatever came in between.
    `report`: how the test of `api_key` went; it becomes the new key's state.
    `is_import`: it was chosen elsewhere, which the audit log tells apart from a choice made here.
    Raises `InvalidConfig` and `ConfigConflict`; then nothing is saved.
    """
    models = validated_choice(
        provider,
        chat_model=chat_model,
        embedding_provider=embedding_provider,
        embedding_model=embedding_model,
        operation_models=operation_models,
        further_models=further_models,
    )
    check_site(openrouter_site_url, openrouter_site_name)
    if cost_alert is not None:
        check_cost_alert(cost_alert)
    consents = None if fallback is None else validated_fallback(fallback)
    with transaction.atomic():
        # One save per organisation at a time, also for the first one.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        stored = AIConfig.objects.filter(organization=organization).first()
        config = stored or AIConfig(organization=organization, version=0)
        if version not in {None, config.version}:
            raise ConfigConflict
        before = _as_audited(organization, stored) if stored else None
        _take_models(config, provider, models)
        config.openrouter_site_url = openrouter_site_url
        config.openrouter_site_name = openrouter_site_name
        config.usage_tracking = usage_tracking
        config.fallback = config.fallback if consents is None else consents
        config.version += 1
        config.updated_by = actor
        config.save()
        if cost_alert is not None:
            save_cost_alert(organization, cost_alert)
        audit.record(
            "ai_config.imported" if is_import else "ai_config.saved",
            organization=organization,
            actor=actor,
            target=provider,
            before=before,
            after=_as_audited(organization, config),
            request=request,
        )
        if provider != PLATFORM_DEFAULT:
            _save_key(organization, provider, api_key, report=report, actor=actor, request=request)
        _require_keys(organization, config, removing=api_key is None)
    return config


def _take_models(config: AIConfig, provider: str, models: ModelChoice) -> None:
    """Put the choice into the row. What it keeps stays as far as it still means something."""
    per_operation, further = models.per_operation, models.further
    if config.provider != provider:
        # Names of models mean nothing to another provider.
        per_operation, further = per_operation or {}, further or {}
    elif further is None and config.embedding_model != models.embedding:
        # Vectors of the models that took over do not compare with those of a new choice.
        further = {name: names for name, names in config.further_models.items() if name != "embedding"}
    config.provider = provider
    config.chat_model = models.chat
    config.embedding_provider, config.embedding_model = models.embedding_provider, models.embedding
    if per_operation is not None:
        config.operation_models = per_operation
    if further is not None:
        config.further_models = further


def _as_audited(organization: Organization, config: AIConfig) -> dict[str, Any]:
    return config.snapshot() | {"cost_alert": cost_alert_of(organization).as_json()}


def _save_key(
    organization: Organization,
    provider: str,
    api_key: str | None,
    *,
    report: ConnectionReport | None,
    actor: User | None,
    request: HttpRequest | None,
) -> None:
    """Store, keep, or remove the key of one provider."""
    if api_key == KEEP:
        return
    if api_key is None:
        remove_api_key(organization, provider, actor=actor, request=request)
        return
    api_key = api_key.strip()
    prefix = check_api_key(provider, api_key)
    store_key(organization, provider, api_key, prefix=prefix, report=report, actor=actor, request=request)


def _require_keys(organization: Organization, config: AIConfig, *, removing: bool) -> None:
    """A provider is chosen together with its key, unless the key was just removed on purpose."""
    stored = set(ProviderCredential.objects.filter(organization=organization).values_list("provider", flat=True))
    if config.provider != PLATFORM_DEFAULT and config.provider not in stored and not removing:
        raise InvalidConfig("api_key", f"Enter your {REGISTRY[config.provider].label} key.")
    if config.embedding_provider not in {"", PLATFORM_DEFAULT, config.provider, *stored}:
        label = REGISTRY[config.embedding_provider].label
        raise InvalidConfig("embedding_provider", f"Save a key for {label} first: embeddings are paid with it.")
