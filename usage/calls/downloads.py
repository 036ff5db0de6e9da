"""The calls that a filter shows as a file that is sent: by the page, by the API, or prepared before."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, StreamingHttpResponse

from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.calls.call_filter import CallFilter
from usage.calls.export_copy import ExportFormat, export_chunks
from usage.utc_days import current_day


def send_calls(
    organization: Organization,
    wanted: CallFilter,
    export_format: ExportFormat,
    *,
    actor: User | None,
    request: HttpRequest,
    prepared: Iterable[bytes] | None = None,
) -> StreamingHttpResponse:
    """Record the download and send it. Without a file that was `prepared` the calls are read while they are sent."""
    audit.record(
        "usage.exported",
        organization=organization,
        actor=actor,
        target=wanted.as_query() or "everything",
        request=request,
    )
    chunks = export_chunks(organization, wanted, export_format) if prepared is None else prepared
    response = StreamingHttpResponse(chunks, content_type=export_format.content_type)
    name = f"usage-{organization.slug}-{current_day()}.{export_format.value}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
