"""The usage pages of an organisation."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage import quota
from usage.analytics import get_monthly_usage_stats
from usage.log import BadCursor, usage_log


@organization_view(Role.VIEWER)
@require_safe
def dashboard(request: HtmxHttpRequest) -> HttpResponse:
    """This month's totals and the log of single calls."""
    try:
        log = usage_log(request.organization, cursor=request.GET.get("cursor", ""))
    except BadCursor as exc:
        return render_page(request, "usage/dashboard.html", {"log_error": str(exc)}, partial="log_rows", status=400)
    context = {"log": log, "is_first_page": "cursor" not in request.GET}
    if not request.htmx or request.htmx.history_restore_request:
        context |= {
            "stats": get_monthly_usage_stats(request.organization),
            "free_tier": quota.free_tier_of(request.organization.pk),
        }
    return render_page(request, "usage/dashboard.html", context, partial="log_rows")
