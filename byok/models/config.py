"""What an organisation chose: provider, models, settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from byok.models.choices import PLATFORM_DEFAULT, payer_choices
from leadagent.tenants.models import Organization


class AIConfig(models.Model):
    """What an organisation chose. No row means: the platform's default."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="ai_config")
    provider = models.CharField(
        max_length=20,
        choices=payer_choices,
        default=PLATFORM_DEFAULT,
    )
    chat_model = models.CharField(max_length=200, blank=True)
    # Empty: the organisation has no provider that offers embeddings.
    embedding_provider = models.CharField(
        max_length=20,
        choices=payer_choices,
        blank=True,
    )
    embedding_model = models.CharField(max_length=200, blank=True)
    # operation -> chat model; an operation that is not named uses `chat_model`.
    operation_models: models.JSONField[dict[str, str]] = models.JSONField(default=dict, blank=True)
    # operation -> further models at the same provider that take over, in order, when the first cannot answer.
    further_models: models.JSONField[dict[str, list[str]]] = models.JSONField(default=dict, blank=True)
    openrouter_site_url = models.URLField(blank=True)
    openrouter_site_name = models.CharField(max_length=80, blank=True)
    # Off: usage rows keep tokens and cost, but not the lead, the run or the error's text.
    usage_tracking = models.BooleanField(default=True)
    # operation -> FallbackConsent; an operation that is not named never falls back.
    fallback: models.JSONField[dict[str, str]] = models.JSONField(default=dict, blank=True)
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
            "further_models": self.further_models,
            "openrouter_site_url": self.openrouter_site_url,
            "openrouter_site_name": self.openrouter_site_name,
            "usage_tracking": self.usage_tracking,
            "fallback": self.fallback,
            "version": self.version,
        }
