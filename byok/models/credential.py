"""Stored keys and the choice of provider and models, one configuration per organisation."""

from __future__ import annotations

import uuid
from typing import Any

import uuid6
from django.conf import settings
from django.db import models
from django.utils import timezone

from byok.encryption import KeyBinding, mask_api_key
from leadagent.tenants.models import Organization


def new_id() -> uuid.UUID:
    """A time-ordered id (UUIDv7), known before the row is written: sealing binds to it."""
    return uuid.UUID(int=uuid6.uuid7().int)


class ProviderName(models.TextChoices):
    OPENROUTER = "openrouter", "OpenRouter"
    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"


PLATFORM_DEFAULT = "platform_default"


class CredentialStatus(models.TextChoices):
    UNTESTED = "untested", "Not tested yet"
    OK = "ok", "Connected"
    REJECTED = "rejected", "Key refused"
    NO_CREDIT = "no_credit", "No credit"
    UNREACHABLE = "unreachable", "Could not be reached"
    UNREADABLE = "unreadable", "Enter the key again"


class ProviderCredential(models.Model):
    """An organisation's key for one provider. Loading the row never opens the key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="credentials")
    provider = models.CharField(max_length=20, choices=ProviderName.choices)
    sealed_key = models.TextField(editable=False)
    prefix = models.CharField(max_length=16, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False, db_index=True)
    status = models.CharField(
        max_length=20,
        choices=CredentialStatus.choices,
        default=CredentialStatus.UNTESTED,
    )
    status_message = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "provider"], name="one_credential_per_provider")]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.masked} of {self.organization_id}"

    @property
    def masked(self) -> str:
        return mask_api_key(prefix=self.prefix, last4=self.last4)

    @property
    def binding(self) -> KeyBinding:
        return KeyBinding(
            organization_id=self.organization_id,
            provider=self.provider,
            credential_id=self.id,
        )


class AIConfig(models.Model):
    """What an organisation chose. No row means: the platform's default."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="ai_config")
    provider = models.CharField(
        max_length=20,
        choices=[(PLATFORM_DEFAULT, "Platform default"), *ProviderName.choices],
        default=PLATFORM_DEFAULT,
    )
    chat_model = models.CharField(max_length=200, blank=True)
    # Empty: the organisation has no provider that offers embeddings.
    embedding_provider = models.CharField(
        max_length=20,
        choices=[(PLATFORM_DEFAULT, "Platform default"), *ProviderName.choices],
        blank=True,
    )
    embedding_model = models.CharField(max_length=200, blank=True)
    # operation -> chat model; an operation that is not named uses `chat_model`.
    operation_models: models.JSONField[dict[str, str]] = models.JSONField(default=dict, blank=True)
    openrouter_site_url = models.URLField(blank=True)
    openrouter_site_name = models.CharField(max_length=80, blank=True)
    # Off: usage rows keep tokens and cost, but not the lead, the run or the error's text.
    usage_tracking = models.BooleanField(default=True)
    # Raised by every save; a form or API call that read an older one is told so.
    version = models.PositiveIntegerField(default=1)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "AI configuration"

    def __str__(self) -> str:
        return f"{self.get_provider_display()} for {self.organization_id}"

    def snapshot(self) -> dict[str, Any]:
        """What the audit log keeps of it."""
        return {
            "provider": self.provider,
            "chat_model": self.chat_model,
            "embedding_provider": self.embedding_provider,
            "embedding_model": self.embedding_model,
            "operation_models": self.operation_models,
            "openrouter_site_url": self.openrouter_site_url,
            "openrouter_site_name": self.openrouter_site_name,
            "usage_tracking": self.usage_tracking,
            "version": self.version,
        }
