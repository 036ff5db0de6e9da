"""The log of single calls with its filters, and what the filters show as a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.keyset import BadCursor
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage.calls.call_filter import CallFilter, count_calls
from usage.calls.call_forms import CallFilterForm
from usage.calls.downloads import send_calls
from usage.calls.export_copy import ExportFormat
from usage.calls.exports import SUGGESTED_FROM, TooManyExports, file_of, request_export
from usage.calls.log import usage_log
from usage.models import ExportState, UsageExport
from usage.tasks import nudge_export


@organization_view(Role.VIEWER)
@require_safe
def calls(request: HtmxHttpRequest) -> HttpResponse:
    """The calls that the filter shows, newest first."""
    form = CallFilterForm(request.GET, organization=request.organization)
    if not form.is_valid():
        return render_page(request, "usage/calls.html", {"form": form}, partial="log_rows", status=422)
    wanted = form.wanted()
    try:
        log = usage_log(request.organization, wanted, cursor=request.GET.get("cursor", ""))
    except BadCursor as error:
        context = {"form": form, "wanted": wanted, "query": wanted.as_query(), "log_error": str(error)}
        return render_page(request, "usage/calls.html", context, partial="log_rows", status=400)
    context = {
        "form": form,
        "wanted": wanted,
        "query": wanted.as_query(),
        "log": log,
        "next_url": _next_url(request, wanted, log.next_cursor),
        "is_first_page": "cursor" not in request.GET,
    }
    if not request.htmx or request.htmx.history_restore_request:
        count = count_calls(request.organization, wanted)
        context |= {"count": count, "is_large": count >= SUGGESTED_FROM}
    return render_page(request, "usage/calls.html", context, partial="log_rows")


def _next_url(request: HtmxHttpRequest, wanted: CallFilter, cursor: str) -> str:
    if not cursor:
        return ""
    query = wanted.as_query()
    return f"{reverse('usage:calls', args=[request.organization.slug])}?{query}{'&' if query else ''}cursor={cursor}"


@organization_view(Role.VIEWER)
@require_GET
def export(request: HtmxHttpRequest) -> HttpResponseBase:
    """Exactly the calls that the filter shows, as a file that is sent while it is read."""
    chosen = _chosen(request, request.GET)
    if chosen is None:
        return redirect(f"{reverse('usage:calls', args=[request.organization.slug])}?{request.GET.urlencode()}")
    wanted, export_format = chosen
    return send_calls(request.organization, wanted, export_format, actor=request.user, request=request)


@organization_view(Role.VIEWER)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def exports(request: HtmxHttpRequest) -> HttpResponse:
    """The downloads that were asked for, with their progress; a post asks for one more."""
    error, status = "", 200
    if request.method == "POST":
        chosen = _chosen(request, request.POST)
        if chosen is None:
            return redirect(f"{reverse('usage:calls', args=[request.organization.slug])}?{_without_token(request)}")
        try:
            with transaction.atomic():
                wanted = request_export(
                    request.organization, chosen[0], chosen[1], person=request.user, request=request
                )
                nudge_export(wanted.pk)
        except TooManyExports as refused:
            error, status = str(refused), 409
        else:
            return redirect("usage:exports", request.organization.slug)
    rows = list(
        UsageExport.objects.filter(organization=request.organization)
        .select_related("requested_by")
        .order_by("-requested_at")[:20]
    )
    context = {"rows": rows, "is_moving": any(row.is_under_way for row in rows), "error": error}
    return render_page(request, "usage/exports.html", context, partial="list", status=status)


@organization_view(Role.VIEWER)
@require_GET
def export_file(request: HtmxHttpRequest, export_id: Any) -> HttpResponseBase:
    """A finished file."""
    ready = get_object_or_404(UsageExport, pk=export_id, organization=request.organization, state=ExportState.READY)
    path = file_of(ready)
    if not path.is_file():
        raise Http404("The file is gone.")
    response = send_calls(
        request.organization,
        CallFilter.from_values(ready.wanted),
        ExportFormat(ready.format),
        actor=request.user,
        request=request,
        prepared=_pieces(path),
    )
    response.headers["Content-Length"] = str(path.stat().st_size)
    return response


def _pieces(path: Path) -> Iterator[bytes]:
    """Opened when the first piece is sent, so that an answer that nobody reads leaves nothing open."""
    with path.open("rb") as file:
        while piece := file.read(64 * 1024):
            yield piece


def _chosen(request: HtmxHttpRequest, data: Any) -> tuple[CallFilter, ExportFormat] | None:
    """Filter and format as asked for; None where the filter is damaged: its page says how."""
    form = CallFilterForm(data, organization=request.organization)
    if not form.is_valid():
        return None
    is_json = data.get("format") == ExportFormat.JSON_LINES.value
    return form.wanted(), ExportFormat.JSON_LINES if is_json else ExportFormat.CSV


def _without_token(request: HtmxHttpRequest) -> str:
    query = request.POST.copy()
    query.pop("csrfmiddlewaretoken", None)
    return query.urlencode()
