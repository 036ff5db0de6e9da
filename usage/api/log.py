"""The JSON API of single calls: the log page by page, and as a file."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from leadagent.keyset import BadCursor
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_decimals import ExactDecimal
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.models import Role, Scope
from usage.calls.call_filter import CallFilter, Outcome
from usage.calls.downloads import send_calls
from usage.calls.export_copy import ExportFormat
from usage.calls.log import usage_log
from usage.models import AIUsage, KeyOwner, UsageState

router = Router(tags=["usage"])


class CallQuery(Schema):
    """Everything that is left out shows all. Days are UTC, both included."""

    since: date | None = None
    until: date | None = None
    operation: Annotated[str, Field(max_length=40)] = ""
    provider: Annotated[str, Field(max_length=20)] = ""
    model: Annotated[str, Field(max_length=200)] = ""
    whose_key: KeyOwner | None = None
    result: Outcome | None = None
    lead_id: UUID | None = None
    run_id: UUID | None = None

    def wanted(self) -> CallFilter:
        if self.since and self.until and self.since > self.until:
            raise ApiError(422, "invalid", "This day is before `since`.", field="until")
        for name in ("since", "until"):
            if getattr(self, name) == date.max:
                raise ApiError(422, "invalid", "Choose an earlier day.", field=name)
        for name in ("operation", "provider", "model"):
            if "\x00" in getattr(self, name):
                raise ApiError(422, "invalid", "This text holds a character that no name has.", field=name)
        return CallFilter(
            since=self.since,
            until=self.until,
            operation=self.operation,
            provider=self.provider,
            model=self.model,
            key_owner=self.whose_key or "",
            outcome=self.result or "",
            lead=self.lead_id,
            run=self.run_id,
        )


class HistoryQuery(CallQuery):
    cursor: Annotated[str, Field(max_length=100)] = ""
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class ExportQuery(CallQuery):
    format: ExportFormat = ExportFormat.CSV


class CallOut(Schema):
    """One exchange with a provider. Costs are US dollars as decimal texts; null is unknown, never zero."""

    id: UUID
    created_at: datetime
    operation: str
    provider: str
    model: str
    whose_key: str
    input_tokens: Annotated[int, Field(description="Uncached input: the buckets are disjoint.")]
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: Annotated[int, Field(description="A part of `output_tokens`.")]
    total_tokens: int
    actual_cost: ExactDecimal | None
    estimated_cost: ExactDecimal | None
    price_version: str
    duration_ms: int | None
    result: Outcome
    http_status: int | None
    error_code: str
    error_message: str
    streamed: bool
    lead_id: UUID | None
    run_id: UUID | None
    provider_request_id: str


class HistoryOut(Schema):
    calls: list[CallOut]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page; null on the last.")]


@router.get(
    "/history",
    auth=token_or_member(Scope.USAGE_READ, Role.VIEWER),
    response=HistoryOut,
    summary="Read single calls, newest first",
)
def read_history(request: HttpRequest, query: Query[HistoryQuery]) -> dict[str, Any]:
    """Page by page; a new call does not shift the next page."""
    organization = cast("ApiRequest", request).organization
    try:
        page = usage_log(organization, query.wanted(), cursor=query.cursor, limit=query.limit)
    except BadCursor as error:
        raise ApiError(422, "invalid", str(error), field="cursor") from None
    return {"calls": [_as_json(row) for row in page.rows], "next_cursor": page.next_cursor or None}


@router.get(
    "/export",
    auth=token_or_member(Scope.USAGE_READ, Role.VIEWER),
    response={200: None},
    openapi_extra={"responses": {200: {"content": {form.content_type: {} for form in ExportFormat}}}},
    summary="Download single calls as CSV or JSON lines",
)
def export_history(request: HttpRequest, query: Query[ExportQuery]) -> StreamingHttpResponse:
    """All calls that the filter shows, newest first, sent while they are read; the columns are in docs/usage.md."""
    caller = cast("ApiRequest", request)
    actor = caller.membership.user if caller.membership else None
    return send_calls(caller.organization, query.wanted(), query.format, actor=actor, request=request)


def _as_json(row: AIUsage) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in CallOut.model_fields if name not in {"whose_key", "result"}}
    if row.state == UsageState.UNRECONCILED:
        result = Outcome.NOT_CONFIRMED
    else:
        result = Outcome.ANSWERED if row.success else Outcome.FAILED
    return values | {"whose_key": row.key_owner, "result": result}
