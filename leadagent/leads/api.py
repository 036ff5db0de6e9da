"""The JSON API of leads: hand one in, follow it."""

from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Header, Router, Schema, Status

from leadagent.leads.forms import LeadForm
from leadagent.leads.intake import IdempotencyConflict, take_in
from leadagent.leads.models import EmailDraft, Lead, LeadSource
from leadagent.leads.tasks import nudge_run
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError
from leadagent.tenants.models import Role, Scope

router = Router(tags=["leads"])


class NewLead(Schema):
    """A lead as it comes in. The limits are those of the public form."""

    name: Annotated[str, Field(max_length=120)]
    email: Annotated[str, Field(max_length=254)]
    company: Annotated[str, Field(max_length=160)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    message: Annotated[str, Field(max_length=8000)]


class StepOut(Schema):
    name: str
    status: str
    attempts: int
    error_code: str
    error_message: str
    on_platform: Annotated[bool, Field(description="The platform's AI stood in for the organisation's own key.")]
    platform_reason: Annotated[str, Field(description="Why, to be read after “because”; empty without.")]


class QualificationOut(Schema):
    category: str
    reason: str
    confidence: float


class EmailOut(Schema):
    status: str
    subject: str


class RunOut(Schema):
    """The newest run. `error_message` says in a sentence what has to be done before it can go on."""

    id: UUID
    status: str
    error_code: str
    error_message: str
    created_at: datetime
    finished_at: datetime | None
    steps: list[StepOut]
    qualification: QualificationOut | None
    email: EmailOut | None


class LeadOut(Schema):
    id: UUID
    name: str
    email: str
    company: str
    phone: str
    message: str
    source: str
    status: str
    created_at: datetime
    run: RunOut | None


@router.post(
    "",
    auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER),
    response={201: LeadOut, 200: LeadOut},
    summary="Hand in a lead",
)
def add_lead(
    request: HttpRequest,
    payload: NewLead,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
) -> Status[Any]:
    """Store a lead and start its workflow.

    Repeating a call with the same `Idempotency-Key` answers 200 with the lead of the first
    call; the same key with other contents answers 409.
    """
    inside = cast("ApiRequest", request)
    form = LeadForm(payload.dict())
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise ApiError(422, "invalid", f"{field}: {errors[0]}", field=field)
    by = inside.membership.user if inside.membership else None
    try:
        with transaction.atomic():
            lead, is_new = take_in(
                inside.organization,
                form.cleaned_data,
                source=LeadSource.API,
                by=by,
                idempotency_key=idempotency_key,
                request=request,
            )
            if is_new:
                nudge_run(lead.runs.get().pk)
    except IdempotencyConflict:
        raise ApiError(
            409, "idempotency_conflict", "This Idempotency-Key was used for another lead.", field="Idempotency-Key"
        ) from None
    return Status(201 if is_new else 200, _lead_out(lead))


@router.get(
    "/{uuid:lead_id}",
    auth=token_or_member(Scope.LEADS_WRITE, Role.VIEWER),
    response=LeadOut,
    summary="Follow a lead",
)
def get_lead(request: HttpRequest, lead_id: UUID) -> dict[str, Any]:
    """The lead with the state of its newest run."""
    return _lead_out(get_object_or_404(cast("ApiRequest", request).organization.leads, pk=lead_id))


def _lead_out(lead: Lead) -> dict[str, Any]:
    own = ("id", "name", "email", "company", "phone", "message", "source", "status", "created_at")
    return {name: getattr(lead, name) for name in own} | {"run": _run_out(lead)}


def _run_out(lead: Lead) -> dict[str, Any] | None:
    run = lead.runs.order_by("-created_at", "-pk").first()
    if run is None:
        return None
    draft = EmailDraft.objects.filter(run=run).first()
    verdict = run.qualification
    return {
        "id": run.pk,
        "status": run.status,
        "error_code": run.error_code,
        "error_message": run.error_sentence,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "attempts": step.attempts,
                "error_code": step.error_code,
                "error_message": step.error_sentence,
                "on_platform": step.on_platform,
                "platform_reason": step.platform_reason,
            }
            for step in run.steps.all()
        ],
        "qualification": {
            "category": verdict.category,
            "reason": verdict.reason,
            "confidence": verdict.confidence,
        }
        if verdict
        else None,
        "email": {"status": draft.status, "subject": draft.subject} if draft else None,
    }
