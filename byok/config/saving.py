"""Saving an organisation's AI configuration: one save at a time, with the key, the cost alert and the audit event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest

from byok.checking.reports import ConnectionReport
from byok.config.values import (
    InvalidConfig,
    ModelChoice,
    check_api_key,
    check_cost_alert,
    check_site,
    validated_choice,
    validated_fallback,
)
from byok.keys.stored import remove_api_key, store_key
from byok.models import PLATFORM_DEFAULT, AIConfig, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert

# What a save does with the stored key when no new one was given. Nobody can type it: a key is printable.
KEEP: Final = "\x00keep"


class ConfigConflict(Exception):
    """Somebody saved in between: the form or call was made from an older version."""


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
