"""What support staff see of usage: sums, free tiers, alerts and events that could not be stored."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from leadagent.tenants.models import Organization
from leadagent.tenants.support import ReadOnlyAdmin
from usage.ledger import dead_letters
from usage.models import (
    AlertSent,
    CostAlert,
    DeadLetter,
    DroppedMonth,
    FreeTierMonth,
    UnsettledCall,
    UsageDaily,
    UsageInbox,
)
from usage.support import organizations, panels  # noqa: F401  # registers them


class ErrorCodeFilter(SimpleListFilter):
    """The codes there are; the field's own filter would show a nameless link for calls without one."""

    title = "error code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = UsageDaily.objects.exclude(error_code="").order_by("error_code").values_list("error_code", flat=True)
        return [(code, code) for code in codes.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error_code=self.value()) if self.value() else queryset


@admin.register(UsageDaily)
class UsageDailyAdmin(ReadOnlyAdmin):
    list_display = (
        "day",
        "organization",
        "operation",
        "provider",
        "model",
        "key_owner",
        "error_code",
        "requests",
        "total_tokens",
    )
    list_filter = ("day", "provider", "key_owner", "operation", ErrorCodeFilter)
    # A number of 660 digits, for no eye.
    exclude = ("durations",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "model")
    ordering = ("-day", "organization_id", "pk")
    show_full_result_count = False


@admin.register(FreeTierMonth)
class FreeTierMonthAdmin(ReadOnlyAdmin):
    list_display = ("organization", "month", "used", "updated_at")
    list_filter = ("month",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
    ordering = ("-month", "-used")


@admin.register(CostAlert)
class CostAlertAdmin(ReadOnlyAdmin):
    list_display = ("organization", "enabled", "monthly_threshold", "email")
    list_filter = ("enabled",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name", "email")
    ordering = ("organization__name",)


@admin.register(AlertSent)
class AlertSentAdmin(ReadOnlyAdmin):
    list_display = ("organization", "month", "kind", "title", "threshold", "cost", "created_at", "sent_at")
    list_filter = ("month",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
    ordering = ("-created_at",)


@admin.register(UsageInbox)
class UsageInboxAdmin(ReadOnlyAdmin):
    # The payload names its organisation; a foreign key here could make an insert fail.
    organization_path = "payload__organization_id"
    list_display = ("seq", "kind", "event_id", "received_at")
    list_filter = ("kind",)
    ordering = ("-seq",)

    def organization_of(self, row: Any) -> Organization | None:
        return dead_letters.organization_of(row.payload)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Events that could not be stored, and those that told other figures under a known id."""

    organization_path = "payload__organization_id"
    list_display = ("put_aside_at", "kind", "event_id", "reason")
    list_filter = ("kind",)
    ordering = ("-put_aside_at", "-pk")
    change_form_template = "admin/dead_letter.html"

    def organization_of(self, row: Any) -> Organization | None:
        return dead_letters.organization_of(row.payload)

    def get_urls(self) -> list[URLPattern]:
        retry = path(
            "<int:letter_id>/retry/", self.admin_site.admin_view(self.try_again), name="usage_deadletter_retry"
        )
        return [retry, *super().get_urls()]

    def try_again(self, request: HttpRequest, letter_id: int) -> HttpResponse:
        """Put the event back into the inbox, as it came. The worker tries it again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not dead_letters.try_again(letter_id, request=request):
            raise Http404("No such event, or one that is no use to try again.")
        messages.success(request, "The event is tried again. If it cannot be stored, it comes back to this list.")
        return HttpResponseRedirect(reverse("admin:usage_deadletter_changelist"))


@admin.register(UnsettledCall)
class UnsettledCallAdmin(ReadOnlyAdmin):
    list_display = ("provider_request_id", "organization", "provider", "usage_created_at", "attempts", "next_try_at")
    list_filter = ("provider",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")
    ordering = ("next_try_at",)


@admin.register(DroppedMonth)
class DroppedMonthAdmin(ReadOnlyAdmin):
    organization_path = None
    list_display = ("month", "rows", "dropped_at")
    ordering = ("-month",)
