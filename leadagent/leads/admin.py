"""What support staff see of leads: state and reasons, to read only. Each look is audited."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from leadagent.leads.models import Document, EmailDraft, Lead, RunStatus, Step, WorkflowRun
from leadagent.tenants.models import Organization
from leadagent.tenants.organization_admin import LATEST, list_url
from leadagent.tenants.support import ReadOnlyAdmin
from leadagent.tenants.support_page import Cell, Panel, Table, add_panel, facts, row

if TYPE_CHECKING:
    _StepInline = admin.TabularInline[Step, WorkflowRun]
else:
    _StepInline = admin.TabularInline


class StepInline(_StepInline):
    model = Step
    fields = readonly_fields = ("name", "status", "attempts", "next_attempt_at", "error_code", "error_sentence")
    template = "admin/read_only_inline.html"
    can_delete = False
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_staff

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ErrorCodeFilter(admin.SimpleListFilter):
    """The codes that runs have; the field's own filter would show a nameless link for runs without one."""

    title = "error code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[WorkflowRun]) -> list[tuple[str, str]]:
        codes = WorkflowRun.objects.exclude(error_code="").order_by("error_code")
        return [(code, code) for code in codes.values_list("error_code", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WorkflowRun]) -> QuerySet[WorkflowRun]:
        return queryset.filter(error_code=self.value()) if self.value() else queryset


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
    list_filter = ("status", ErrorCodeFilter, "category", "is_comparison")
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
    organization_path = "run__organization"


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("title", "organization", "status", "error_code", "kind", "version", "created_at")
    list_filter = ("status",)
    search_fields = ("title", "id")
    list_select_related = ("organization",)
    ordering = ("-created_at",)


@add_panel(70)
def runs(organization: Organization) -> Panel:
    """Where the workflow stands, and the runs that stopped."""
    by_status = dict(
        WorkflowRun.objects.filter(organization=organization)
        .order_by()
        .values_list("status")
        .annotate(n=Count("pk"))
        .order_by("status")
    )
    stopped = WorkflowRun.objects.filter(
        organization=organization, status__in=[RunStatus.FAILED, RunStatus.PAUSED]
    ).select_related("lead")
    rows = [
        row(
            Cell(f"{run.updated_at:%Y-%m-%d %H:%M}", url=reverse("admin:leads_workflowrun_change", args=[run.pk])),
            str(run.lead),
            Cell(run.get_status_display(), tone="bad" if run.status == RunStatus.FAILED else "warn"),
            run.error_code,
            run.error_sentence,
        )
        for run in stopped.order_by("-updated_at")[:LATEST]
    ]
    counted = {str(RunStatus(status).label): f"{count:,}" for status, count in by_status.items()}
    return Panel(
        "Runs",
        facts(**counted) if counted else facts(runs="none yet"),
        [
            Table(
                "Runs that stopped",
                ["When", "Lead", "State", "Code", "What the run says"],
                rows,
                "None has stopped.",
                list_url("leads_workflowrun", organization),
            )
        ],
    )
