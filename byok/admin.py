"""What support staff see of keys and configuration: states, never a key or its ciphertext."""

from django.contrib import admin

from byok.models import AIConfig, ProviderCredential
from leadagent.tenants.support import ReadOnlyAdmin


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnlyAdmin):
    list_display = ("organization", "provider", "last4", "status", "checked_at", "last_used_at")
    list_filter = ("provider", "status")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
    fields = (
        "organization",
        "provider",
        "last4",
        "status",
        "status_message",
        "checked_at",
        "last_used_at",
        "created_by",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields


@admin.register(AIConfig)
class AIConfigAdmin(ReadOnlyAdmin):
    list_display = ("organization", "provider", "chat_model", "embedding_provider", "embedding_model", "updated_at")
    list_filter = ("provider",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
