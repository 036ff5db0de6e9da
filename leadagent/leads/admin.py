"""What support staff see of leads: state and reasons, to read only. Each look is audited."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from leadagent.leads.models import Document, EmailDraft, Lead, Step, WorkflowRun
from leadagent.tenants.models import Organization
from leadagent.tenants.support import ReadOnlyAdmin

if TYPE_CHECKING:
    _StepInline = admin.TabularInline[Step, WorkflowRun]
else:
    _StepInline = admin.TabularInline


class StepInline(_StepInline):
    model = Step
    fields = readonly_fields = ("name", "status", "attempts", "next_attempt_at", "error_code", "error_sentence")
    can_delete = False
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_staff

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Lead)
class LeadAdmin(ReadOnlyAdmin):
    list_display = ("name", "company", "organization", "source", "status", "created_at")
    list_filter = ("status", "source")
    search_fields = ("name", "email", "company", "id")
    list_select_related = ("organization",)
    ordering = ("-created_at",)
    exclude = ("idempotency_key",)


@admin.register(WorkflowRun)
class WorkflowRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "organization", "lead", "status", "error_code", "category", "created_at", "finished_at")
    list_filter = ("status", "error_code", "category")
    search_fields = ("id", "lead__id", "lead__email")
    list_select_related = ("organization", "lead")
    ordering = ("-created_at",)
    inlines = (StepInline,)


@admin.register(EmailDraft)
class EmailDraftAdmin(ReadOnlyAdmin):
    list_display = ("id", "subject", "status", "approved_by", "approved_at", "sent_at")
    list_filter = ("status",)
    search_fields = ("id", "message_id", "run__lead__email")
    list_select_related = ("approved_by",)
    ordering = ("-created_at",)

    def organization_of(self, row: Any) -> Organization | None:
        return row.run.organization if isinstance(row, EmailDraft) else None


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("title", "organization", "status", "error_code", "embedding_model", "created_at")
    list_filter = ("status",)
    search_fields = ("title", "id")
    list_select_related = ("organization",)
    ordering = ("-created_at",)
