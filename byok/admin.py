"""What support staff see of keys and configuration: states, never a key or its ciphertext."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from byok import catalog_admin  # noqa: F401  # registers its pages
from byok.models import AIConfig, Announcement, KeyUseDay, ProviderCredential, SealingSecret, SupersededKey
from byok.support import organizations, panels  # noqa: F401  # registers them
from byok.support.keys import credential_facts, report_rows
from leadagent.tenants import audit
from leadagent.tenants.support import ReadOnlyAdmin

_STATE = ("status", "status_message", "checked_at")


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnlyAdmin):
    """One key's state, its last capability report, and the one thing support may ask for: a re-check."""

    list_display = (
        "organization",
        "provider",
        "masked",
        "status",
        "checked_at",
        "last_used_at",
        "expires_at",
        "key_id",
    )
    list_filter = ("provider", "status", "key_id", ("expires_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "organization__external_id")
    ordering = ("organization__name", "provider")
    change_form_template = "admin/credential.html"
    fields = (
        "organization",
        "provider",
        "masked",
        *_STATE,
        "next_check_at",
        "expires_at",
        "last_used_at",
        "refused_since",
        "rejection_told_at",
        "saved_at",
        "created_by",
        "created_at",
        "updated_at",
        "key_id",
    )
    readonly_fields = ("masked",)

    @admin.display(description="Key")
    def masked(self, row: ProviderCredential) -> str:
        return row.masked

    def get_urls(self) -> list[URLPattern]:
        recheck = path(
            "<uuid:credential_id>/recheck/",
            self.admin_site.admin_view(self.ask_for_recheck),
            name="byok_providercredential_recheck",
        )
        return [recheck, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if isinstance(row, ProviderCredential):
            context |= {"key_facts": credential_facts(row), "report_rows": report_rows(row)}
        return super().change_view(request, object_id, form_url, context)

    def ask_for_recheck(self, request: HttpRequest, credential_id: UUID) -> HttpResponse:
        """Put the key first in line for the next round of checks. The provider is asked by the worker, not here."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = ProviderCredential.objects.select_related("organization").filter(pk=credential_id).first()
        if row is None:
            raise Http404("No such key.")
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        row.next_check_at = timezone.now()
        row.save(update_fields=["next_check_at"])
        audit.record("support.recheck_asked", organization=row.organization, target=row.provider, request=request)
        messages.success(request, f"The {row.get_provider_display()} key is checked in the next round.")
        if request.POST.get("from") == "organization":
            return HttpResponseRedirect(reverse("admin:tenants_organization_change", args=[row.organization_id]))
        return HttpResponseRedirect(reverse("admin:byok_providercredential_change", args=[row.pk]))


@admin.register(SupersededKey)
class SupersededKeyAdmin(ReadOnlyAdmin):
    """A replaced key in its 24 hours: that it is there, and until when."""

    organization_path = "credential__organization"
    list_display = ("credential", "masked", "status", "superseded_at", "undo_until", "key_id")
    list_filter = ("status", "key_id")
    list_select_related = ("credential__organization",)
    search_fields = ("credential__organization__slug", "credential__organization__name")
    ordering = ("-superseded_at",)
    fields = ("credential", "masked", *_STATE, "saved_at", "superseded_at", "undo_until", "key_id")
    readonly_fields = ("masked",)

    @admin.display(description="Key")
    def masked(self, row: SupersededKey) -> str:
        return row.masked


@admin.register(AIConfig)
class AIConfigAdmin(ReadOnlyAdmin):
    list_display = ("organization", "provider", "chat_model", "embedding_provider", "embedding_model", "updated_at")
    list_filter = ("provider", "embedding_provider", "usage_tracking")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "chat_model", "embedding_model")
    ordering = ("organization__name",)
    # All of them: what is read-only needs no form.
    fields = readonly_fields = (
        "organization",
        "provider",
        "chat_model",
        "embedding_provider",
        "embedding_model",
        "operation_models",
        "further_models",
        "openrouter_site_url",
        "openrouter_site_name",
        "usage_tracking",
        "fallback",
        "version",
        "updated_by",
        "updated_at",
    )


@admin.register(KeyUseDay)
class KeyUseDayAdmin(ReadOnlyAdmin):
    list_display = ("day", "organization", "provider", "calls", "operations")
    list_filter = ("provider",)
    list_select_related = ("organization",)
    date_hierarchy = "day"
    search_fields = ("organization__slug", "organization__name")
    ordering = ("-day", "organization_id")


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    list_display = ("name", "organization", "recipients", "started_at", "sent_at")
    list_filter = ("name", ("sent_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "name")
    ordering = ("-started_at",)


@admin.register(SealingSecret)
class SealingSecretAdmin(ReadOnlyAdmin):
    """Since when each secret seals, by its public name."""

    organization_path = None
    list_display = ("key_id", "first_used_at", "reminded_at")
    ordering = ("-first_used_at",)
