"""The organisation's audit log: for reading, and as CSV."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.keyset import BadCursor
from leadagent.tenants.access import organization_view
from leadagent.tenants.audit_trail.actions import label_of
from leadagent.tenants.audit_trail.chain import glance
from leadagent.tenants.audit_trail.diff import changes
from leadagent.tenants.audit_trail.export import HEADING, audit_rows
from leadagent.tenants.audit_trail.forms import AuditFilterForm
from leadagent.tenants.audit_trail.log import AuditFilter, AuditPage, audit_page
from leadagent.tenants.csv_rows import csv_response
from leadagent.tenants.models import Organization, Role

# So many names are offered while one types; any other can still be typed.
_OFFERED_NAMES = 100


@organization_view(Role.ADMIN)
@require_safe
def audit_log(request: HtmxHttpRequest) -> HttpResponse:
    """Who did what, when and from where, with the state of the chain that proves it."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return _page(request, {"form": form}, status=422)
    wanted = form.wanted()
    try:
        page = audit_page(request.organization, wanted, cursor=request.GET.get("cursor", ""))
    except BadCursor as error:
        return _page(request, {"form": form, "wanted": wanted, "page_error": str(error)}, status=400)
    return _page(request, {"form": form, "wanted": wanted} | _shown(request, wanted, page))


@organization_view(Role.ADMIN)
@require_GET
def audit_export(request: HtmxHttpRequest) -> HttpResponseBase:
    """What the filter shows, as CSV. An address with a damaged filter leads to the page that says so."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        page = reverse("tenants:audit", args=[request.organization.slug])
        return redirect(f"{page}?{request.GET.urlencode()}")
    rows = audit_rows(request.organization, form.wanted(), request=request)
    return csv_response(f"audit-{request.organization.slug}-{timezone.now():%Y-%m-%d}.csv", HEADING, rows)


def _shown(request: HtmxHttpRequest, wanted: AuditFilter, page: AuditPage) -> dict[str, Any]:
    here = reverse("tenants:audit", args=[request.organization.slug])
    query = wanted.as_query()
    following = f"{here}?{query}{'&' if query else ''}cursor={page.next_cursor}" if page.next_cursor else ""
    return {
        "rows": [(event, label_of(event.action), changes(event.before, event.after)) for event in page.events],
        "chain": glance(request.organization, page.events),
        "next_url": following,
        "is_first_page": "cursor" not in request.GET,
        "query": query,
    }


def _page(request: HtmxHttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render_page(
        request,
        "tenants/audit.html",
        context | {"names": _names(request.organization)},
        partial="audit_rows",
        status=status,
    )


def _names(organization: Organization) -> list[str]:
    """Members and tokens of today, for the list that opens while one types."""
    members = organization.memberships.order_by("user__email").values_list("user__email", flat=True)
    tokens = organization.api_tokens.order_by("name").values_list("name", flat=True).distinct()
    return [*members[:_OFFERED_NAMES], *tokens[:_OFFERED_NAMES]]
