"""The JSON API of leads: hand one in, follow it, list and change them, write notes, start a run."""

from typing import Annotated, Any, cast
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Query, Router, Status

from leadagent.keyset import BadCursor
from leadagent.leads.api_schemas import (
    LeadChange,
    LeadOut,
    LeadQuery,
    LeadsOut,
    NewLead,
    NewNote,
    NoteOut,
    NotesOut,
    NotesQuery,
    RunOut,
)
from leadagent.leads.inbox.assignment import NotAssignable, assign_lead, assignees_of
from leadagent.leads.inbox.closing import close_lead, reopen_lead
from leadagent.leads.inbox.forms import LeadForm, NoteForm
from leadagent.leads.inbox.intake import IdempotencyConflict, take_in
from leadagent.leads.inbox.lead_filter import ME, NOBODY, LeadFilter
from leadagent.leads.inbox.lead_pages import lead_page, note_page
from leadagent.leads.inbox.notes import add_note
from leadagent.leads.models import EmailDraft, Lead, LeadNote, LeadSource
from leadagent.leads.running.workflow import RunConflict, start_run
from leadagent.leads.tasks import nudge_run
from leadagent.tenants.api_auth import ApiRequest, token_or_member
from leadagent.tenants.api_errors import ApiError, Refusal
from leadagent.tenants.models import Organization, Role, Scope, User

router = Router(tags=["leads"])


@router.get(
    "",
    auth=token_or_member(Scope.LEADS_READ, Role.VIEWER),
    response=LeadsOut,
    summary="List leads",
)
def list_leads(request: HttpRequest, query: Query[LeadQuery]) -> dict[str, Any]:
    """Page by page, newest first if nothing else is asked for; a new lead does not shift the next page."""
    inside = cast("ApiRequest", request)
    me = _caller(inside)
    wanted = LeadFilter(
        q=" ".join(query.q.replace("\0", " ").split()),
        status=query.status or "",
        category=query.category or "",
        assigned=_assigned(inside.organization, query.assigned_to, me=me),
        source=query.source or "",
        days=str(query.days or ""),
        sort=query.sort.value,
    )
    try:
        page = lead_page(inside.organization, wanted, me=me, cursor=query.cursor, limit=query.limit)
    except BadCursor as error:
        raise ApiError(422, "invalid", str(error), field="cursor") from None
    return {"leads": [_lead_row(lead) for lead in page.leads], "next_cursor": page.next_cursor or None}


@router.post(
    "",
    auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER),
    response={201: LeadOut, 200: LeadOut, 409: Refusal},
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
    by = _caller(inside)
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
    auth=token_or_member(Scope.LEADS_READ, Role.VIEWER),
    response=LeadOut,
    summary="Follow a lead",
)
def get_lead(request: HttpRequest, lead_id: UUID) -> dict[str, Any]:
    """The lead with the state of its newest run."""
    return _lead_out(_lead(request, lead_id))


@router.patch(
    "/{uuid:lead_id}",
    auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER),
    response={200: LeadOut, 409: Refusal},
    summary="Assign, close or reopen a lead",
)
def change_lead(request: HttpRequest, lead_id: UUID, payload: LeadChange) -> dict[str, Any]:
    """All of it or nothing. A lead with a run under way answers 409 to `closed`."""
    lead, by = _lead(request, lead_id), _caller(cast("ApiRequest", request))
    try:
        with transaction.atomic():
            if "assigned_to" in payload.model_fields_set:
                assign_lead(lead, _person(lead.organization, payload.assigned_to), by=by, request=request)
            if payload.status == "closed":
                close_lead(lead, by=by, request=request)
            elif payload.status == "open":
                reopen_lead(lead, by=by, request=request)
    except NotAssignable as problem:
        raise ApiError(422, "invalid", str(problem), field="assigned_to") from None
    except RunConflict as conflict:
        raise ApiError(409, "run_conflict", str(conflict), field="status") from None
    return _lead_out(_lead(request, lead_id))


@router.post(
    "/{uuid:lead_id}/runs",
    auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER),
    response={201: RunOut, 409: Refusal},
    summary="Start a run",
)
def start_lead_run(request: HttpRequest, lead_id: UUID) -> Status[Any]:
    """Research, qualify and draft (again); a draft that waits is discarded for it. 409 while one is under way."""
    lead, by = _lead(request, lead_id), _caller(cast("ApiRequest", request))
    try:
        with transaction.atomic():
            nudge_run(start_run(lead, by=by, request=request).pk)
    except RunConflict as conflict:
        raise ApiError(409, "run_conflict", str(conflict)) from None
    return Status(201, _run_out(lead))


@router.get(
    "/{uuid:lead_id}/notes",
    auth=token_or_member(Scope.LEADS_READ, Role.VIEWER),
    response=NotesOut,
    summary="Read a lead's notes",
)
def list_notes(request: HttpRequest, lead_id: UUID, query: Query[NotesQuery]) -> dict[str, Any]:
    """Newest first, page by page."""
    try:
        notes, cursor = note_page(_lead(request, lead_id), cursor=query.cursor, limit=query.limit)
    except BadCursor as error:
        raise ApiError(422, "invalid", str(error), field="cursor") from None
    return {"notes": [_note_out(note) for note in notes], "next_cursor": cursor or None}


@router.post(
    "/{uuid:lead_id}/notes",
    auth=token_or_member(Scope.LEADS_WRITE, Role.MEMBER),
    response={201: NoteOut},
    summary="Write a note about a lead",
)
def write_note(request: HttpRequest, lead_id: UUID, payload: NewNote) -> Status[Any]:
    """For colleagues: the lead never sees it."""
    lead, form = _lead(request, lead_id), NoteForm(payload.dict())
    if not form.is_valid():
        raise ApiError(422, "invalid", f"text: {form.errors['text'][0]}", field="text")
    note = add_note(lead, form.cleaned_data["text"], by=_caller(cast("ApiRequest", request)), request=request)
    return Status(201, _note_out(note))


def _lead(request: HttpRequest, lead_id: UUID) -> Lead:
    leads = cast("ApiRequest", request).organization.leads.select_related("organization", "assigned_to")
    return get_object_or_404(leads.defer("search"), pk=lead_id)


def _caller(request: ApiRequest) -> User | None:
    """The person of the session; a token is nobody."""
    return request.membership.user if request.membership else None


def _person(organization: Organization, email: str | None) -> User | None:
    """The assignable person with this address. Raises `NotAssignable`."""
    if email is None:
        return None
    found = assignees_of(organization).filter(email__iexact=email.replace("\0", "")).first()
    if found is None:
        raise NotAssignable
    return found


def _assigned(organization: Organization, asked: str, *, me: User | None) -> str:
    """What `LeadFilter.assigned` is for the address, word or nothing that was asked for."""
    if asked == ME and me is None:
        raise ApiError(422, "invalid", "A token is nobody: give the address of a member.", field="assigned_to")
    if asked in {"", ME, NOBODY}:
        return asked
    try:
        person = _person(organization, asked)
    except NotAssignable:
        raise ApiError(422, "invalid", "Nobody with this address works on leads here.", field="assigned_to") from None
    return str(person.pk) if person else ""


def _person_out(person: User | None) -> dict[str, str] | None:
    return {"name": person.display_name, "email": person.email} if person else None


def _note_out(note: LeadNote) -> dict[str, Any]:
    own = {name: getattr(note, name) for name in ("id", "text", "created_at", "edited_at")}
    return own | {"author": _person_out(note.author)}


def _lead_row(lead: Lead) -> dict[str, Any]:
    own = ("id", "name", "email", "company", "phone", "message", "source", "status", "category", "created_at",
           "last_activity_at")  # fmt: skip
    return {name: getattr(lead, name) for name in own} | {"assigned_to": _person_out(lead.assigned_to)}


def _lead_out(lead: Lead) -> dict[str, Any]:
    return _lead_row(lead) | {"run": _run_out(lead)}


def _run_out(lead: Lead) -> dict[str, Any] | None:
    run = lead.runs.main().newest()
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
                "model": step.model,
                "meant_model": step.meant_model,
                "model_reason": step.model_reason,
            }
            for step in run.steps.all()
        ],
        "qualification": verdict.told() if verdict else None,
        "email": {"status": draft.status, "subject": draft.subject} if draft else None,
    }
