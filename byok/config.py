"""An organisation's AI configuration: reading it for use and for show, and saving it.

Reading never opens a key. The stored provider decides where a call goes, nothing else:
a missing or unreadable key is an error, never a reason to use another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from byok.encryption import encrypt_api_key, fingerprint
from byok.models import PLATFORM_DEFAULT, AIConfig, CredentialStatus, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

ModelKind = Literal["chat", "embedding"]

# What a save does with the stored key when no new one was given.
KEEP: Literal["keep"] = "keep"


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
    openrouter_site_url: str
    openrouter_site_name: str
    usage_tracking: bool
    version: int
    credentials: Mapping[str, ProviderCredential]

    @property
    def is_customer_key(self) -> bool:
        return self.provider != PLATFORM_DEFAULT

    @property
    def credential(self) -> ProviderCredential | None:
        """The key of the chat provider, where one is stored."""
        return self.credentials.get(self.provider)


class ConfigConflict(Exception):
    """Somebody saved in between: the form or call was made from an older version."""


class InvalidConfig(Exception):
    """A value that cannot be saved. `field` says where it was given, the message how to mend it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def byok_allowed(organization: Organization) -> bool:
    """Whether this organisation may use keys of its own (the operator's feature flag)."""
    if not settings.BYOK_ENABLED:
        return False
    return not settings.BYOK_ALLOWED_ORGS or organization.slug in settings.BYOK_ALLOWED_ORGS


def get_ai_config(organization: Organization) -> EffectiveConfig:
    """The configuration that calls of this organisation follow; the platform's default where none is stored."""
    stored = AIConfig.objects.filter(organization=organization).first() if byok_allowed(organization) else None
    if stored is None:
        stored = AIConfig(organization=organization, embedding_provider=PLATFORM_DEFAULT, version=0)
    credentials = {row.provider: row for row in ProviderCredential.objects.filter(organization=organization)}
    on_platform = stored.provider == PLATFORM_DEFAULT
    embedding_on_platform = stored.embedding_provider == PLATFORM_DEFAULT
    return EffectiveConfig(
        organization_id=organization.pk,
        provider=stored.provider,
        chat_model=settings.PLATFORM_CHAT_MODEL if on_platform else stored.chat_model,
        embedding_provider=stored.embedding_provider,
        embedding_model=settings.PLATFORM_EMBEDDING_MODEL if embedding_on_platform else stored.embedding_model,
        operation_models={} if on_platform else stored.operation_models,
        openrouter_site_url=stored.openrouter_site_url,
        openrouter_site_name=stored.openrouter_site_name,
        usage_tracking=stored.usage_tracking,
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
    api_key: str | None = KEEP,
    openrouter_site_url: str = "",
    openrouter_site_name: str = "",
    usage_tracking: bool = True,
    version: int | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> AIConfig:
    """Save provider, models and, where given, the provider's key.

    `api_key`: a text replaces the stored key of `provider`, `KEEP` leaves it, None removes it.
    `embedding_provider`: None follows the chat provider where that one offers embeddings.
    `version`: what the caller read; None saves whatever came in between.
    Raises `InvalidConfig` and `ConfigConflict`; then nothing is saved.
    """
    values = _validated(provider, chat_model, embedding_provider, embedding_model)
    with transaction.atomic():
        # One save per organisation at a time, also for the first one.
        Organization.objects.select_for_update().get(pk=organization.pk)
        config = AIConfig.objects.filter(organization=organization).first()
        current_version = config.version if config else 0
        if version is not None and version != current_version:
            raise ConfigConflict
        before = config.snapshot() if config else None
        if config is None:
            config = AIConfig(organization=organization)
        config.provider = provider
        config.chat_model, config.embedding_provider, config.embedding_model = values
        config.openrouter_site_url = openrouter_site_url
        config.openrouter_site_name = openrouter_site_name
        config.usage_tracking = usage_tracking
        config.version = current_version + 1
        config.updated_by = actor
        config.save()
        audit.record(
            "ai_config.saved",
            organization=organization,
            actor=actor,
            target=provider,
            before=before,
            after=config.snapshot(),
            request=request,
        )
        if provider != PLATFORM_DEFAULT:
            _save_key(organization, provider, api_key, actor=actor, request=request)
        _require_keys(organization, config, removing=api_key is None)
    return config


def _validated(
    provider: str, chat_model: str, embedding_provider: str | None, embedding_model: str
) -> tuple[str, str, str]:
    if provider == PLATFORM_DEFAULT:
        return "", PLATFORM_DEFAULT, ""
    if provider not in REGISTRY:
        raise InvalidConfig("provider", "Choose one of the providers.")
    entry = REGISTRY[provider]
    if not chat_model.strip():
        raise InvalidConfig("chat_model", "Choose a chat model.")
    try:
        chat_model = entry.check_model(chat_model)
    except ValueError as exc:
        raise InvalidConfig("chat_model", str(exc)) from None
    if embedding_provider is None:
        embedding_provider = provider if entry.offers_embeddings else ""
    if not embedding_provider or embedding_provider == PLATFORM_DEFAULT:
        return chat_model, embedding_provider, ""
    if embedding_provider not in REGISTRY or not REGISTRY[embedding_provider].offers_embeddings:
        raise InvalidConfig("embedding_provider", "This provider offers no embeddings.")
    embedding_entry = REGISTRY[embedding_provider]
    return (
        chat_model,
        embedding_provider,
        embedding_model.strip() or embedding_entry.embedding_models[0],
    )


def remove_api_key(
    organization: Organization, provider: str, *, actor: User | None = None, request: HttpRequest | None = None
) -> None:
    """Delete a stored key. Calls that need it are refused from now on; no other key takes its place."""
    with transaction.atomic():
        stored = ProviderCredential.objects.select_for_update().filter(organization=organization, provider=provider)
        for credential in stored:
            audit.record(
                "credential.removed",
                organization=organization,
                actor=actor,
                target=provider,
                before={"provider": provider, "last4": credential.last4},
                request=request,
            )
            credential.delete()


def _save_key(
    organization: Organization,
    provider: str,
    api_key: str | None,
    *,
    actor: User | None,
    request: HttpRequest | None,
) -> None:
    """Seal and store, keep, or remove the key of one provider."""
    if api_key == KEEP:
        return
    if api_key is None:
        remove_api_key(organization, provider, actor=actor, request=request)
        return
    stored = ProviderCredential.objects.filter(organization=organization, provider=provider).first()
    api_key = api_key.strip()
    prefix = check_api_key(provider, api_key)
    before = {"last4": stored.last4} if stored else None
    credential = stored or ProviderCredential(organization=organization, provider=provider)
    credential.sealed_key = encrypt_api_key(api_key, binding=credential.binding)
    credential.prefix = prefix
    credential.last4 = api_key[-4:]
    credential.fingerprint = fingerprint(api_key)
    credential.status = CredentialStatus.UNTESTED
    credential.status_message = ""
    credential.checked_at = credential.last_used_at = None
    credential.created_by = actor
    credential.save()
    audit.record(
        "credential.replaced" if before else "credential.saved", organization=organization, actor=actor,
        target=provider, before=before, after={"last4": credential.last4}, request=request,
    )  # fmt: skip


def check_api_key(provider: str, api_key: str) -> str:
    """Return the visible prefix of a key that can be one of `provider`'s; raise `InvalidConfig` otherwise."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key or len(api_key) > 500:
        raise InvalidConfig(
            "api_key",
            "A key is one line of letters, digits and dashes. Paste it again.",
        )
    try:
        return REGISTRY[provider].check_key(api_key)
    except ValueError as exc:
        raise InvalidConfig("api_key", str(exc)) from None


def _require_keys(organization: Organization, config: AIConfig, *, removing: bool) -> None:
    """A provider is chosen together with its key, unless the key was just removed on purpose."""
    stored = set(ProviderCredential.objects.filter(organization=organization).values_list("provider", flat=True))
    if config.provider != PLATFORM_DEFAULT and config.provider not in stored and not removing:
        raise InvalidConfig("api_key", f"Enter your {REGISTRY[config.provider].label} key.")
    if config.embedding_provider not in {
        "",
        PLATFORM_DEFAULT,
        config.provider,
        *stored,
    }:
        label = REGISTRY[config.embedding_provider].label
        raise InvalidConfig(
            "embedding_provider",
            f"Save a key for {label} first: embeddings are paid with it.",
        )
