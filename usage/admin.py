"""What support staff see of usage: sums, free tiers, alerts and events that could not be stored."""

from collections import defaultdict
from datetime import UTC, datetime, time
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from leadagent.tenants.models import Organization
from leadagent.tenants.organization_admin import list_url
from leadagent.tenants.support import ReadOnlyAdmin
from leadagent.tenants.support_page import (
    Cell,
    Column,
    Panel,
    Table,
    add_column,
    add_filter,
    add_panel,
    cell,
    facts,
    row,
)
from usage.analytics import UsageTotals, current_month, get_monthly_usage_stats
from usage.ledger import dead_letters
from usage.models import (
    AIUsage,
    AlertSent,
    CostAlert,
    DeadLetter,
    DroppedMonth,
    FreeTierMonth,
    UnsettledCall,
    UsageDaily,
    UsageInbox,
    UsageState,
)
from usage.spending import quota


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


class FreeTierFilter(SimpleListFilter):
    title = "free tier this month"
    parameter_name = "free_tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("full", "used up"), ("warned", "nine tenths used"), ("some", "some used"), ("none", "none used")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        limit = settings.FREE_TIER_REQUESTS
        warned = quota.FreeTier(0, limit).warn_from
        match self.value():
            case "full":
                return queryset.filter(free_used__gte=limit)
            case "warned":
                return queryset.filter(free_used__gte=warned, free_used__lt=limit)
            case "some":
                return queryset.filter(free_used__gt=0, free_used__lt=warned)
            case "none":
                return queryset.filter(free_used=0)
        return queryset


def _free_used() -> dict[str, Combinable]:
    months = FreeTierMonth.objects.filter(organization=OuterRef("pk"), month=quota.current_month())
    return {"free_used": Coalesce(Subquery(months.values("used")[:1]), 0)}


def _requests_this_month() -> dict[str, Combinable]:
    start, end = current_month()
    days = UsageDaily.objects.filter(organization=OuterRef("pk"), day__gte=start, day__lt=end).order_by()
    sums = days.values("organization").annotate(sum=Sum("requests")).values("sum")
    return {"requests_this_month": Coalesce(Subquery(sums), 0)}


add_column(
    40,
    Column(
        "Free tier",
        lambda organization: f"{organization.free_used} of {settings.FREE_TIER_REQUESTS}",
        _free_used,
        order_by="free_used",
    ),
)
add_column(
    50,
    Column(
        "Requests",
        lambda organization: f"{organization.requests_this_month:,}",
        _requests_this_month,
        order_by="requests_this_month",
    ),
)
add_filter(FreeTierFilter)


@add_panel(50)
def free_tier(organization: Organization) -> Panel:
    """The platform's requests: this month and the months before."""
    now = quota.free_tier_of(organization.pk)
    tone = "bad" if now.used >= now.limit else "warn" if now.used >= now.warn_from else ""
    months = organization.free_tier_months.order_by("-month")[:12]
    return Panel(
        "Free tier",
        facts(this_month=Cell(now.in_words, tone=tone), left=now.left),
        [
            Table(
                "Requests on the platform's key by month",
                ["Month (UTC)", "Used", "Last moved"],
                [row(f"{month.month:%Y-%m}", month.used, month.updated_at) for month in months],
                "The free tier was never used.",
            )
        ],
    )


@add_panel(60)
def this_month(organization: Organization) -> Panel:
    """This month's calls by operation, with what went wrong."""
    stats = get_monthly_usage_stats(organization)
    since = datetime.combine(stats.start, time.min, UTC)
    calls = AIUsage.objects.filter(organization=organization, created_at__gte=since, success=False)
    errors: dict[str, list[str]] = defaultdict(list)
    for error in calls.values("operation", "error_code").annotate(n=Count("id")).order_by("-n", "error_code"):
        errors[error["operation"]].append(f"{error['error_code'] or 'no code'} × {error['n']:,}")
    rows = [
        row(
            total.operation,
            f"{total.requests:,}",
            Cell(f"{total.failures:,}", tone="bad" if total.failures else ""),
            ", ".join(errors[total.operation]),
            f"{total.total_tokens:,}",
            _cost(total),
        )
        for total in stats.by_operation
    ]
    unreconciled = calls.filter(state=UsageState.UNRECONCILED).count()
    return Panel(
        "Usage this month",
        facts(requests=f"{stats.totals.requests:,}", known_cost=_cost(stats.totals), not_confirmed=unreconciled),
        [
            Table(
                "By operation",
                ["Operation", "Calls", "Failed", "Errors by code", "Tokens", "Known cost"],
                rows,
                "No call was made this month.",
                list_url("usage_usagedaily", organization),
            )
        ],
    )


def _cost(totals: UsageTotals) -> Cell:
    if totals.cost is None:
        return Cell("unknown", tone="warn")
    partly = f" (unpriced calls: {totals.unpriced_requests:,})" if totals.unpriced_requests else ""
    return Cell(f"${totals.cost:,.4f}{partly}")


@add_panel(65)
def alerts(organization: Organization) -> Panel:
    """The cost alert that is set, and the mails that went out."""
    alert = CostAlert.objects.filter(organization=organization).first()
    threshold = alert.monthly_threshold if alert else None
    sent = organization.alerts_sent.order_by("-created_at")[:12]
    return Panel(
        "Cost alert",
        facts(
            state=Cell("on") if alert and alert.enabled else Cell("off"),
            monthly_threshold=None if threshold is None else f"${threshold:,.2f}",
            goes_to=alert.email if alert else None,
        ),
        [
            Table(
                "Alerts",
                ["Month (UTC)", "Threshold", "Cost then", "Mail sent"],
                [
                    row(
                        f"{mail.month:%Y-%m}",
                        mail.kind if mail.threshold is None else f"${mail.threshold:,.2f}",
                        "" if mail.cost is None else f"${mail.cost:,.4f}",
                        cell(mail.sent_at or Cell("not yet", tone="warn")),
                    )
                    for mail in sent
                ],
                "None was due.",
            )
        ],
    )
