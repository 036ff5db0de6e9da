"""A lead's run through research, qualification and email draft: start, resume, cancel, find what waits.

PostgreSQL holds every fact; a worker is only nudged (see `tasks`). What happens inside one
step is in `steps`, who may run it in `leases`.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from byok.calls import platform_fallback as fallback
from leadagent.leads.emails.deciding import discard_superseded
from leadagent.leads.models import (
    ACTIVE,
    OPEN,
    Lead,
    LeadStatus,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
)
from leadagent.leads.running.run_state import lock_run, set_lead_of, set_run
from leadagent.leads.work_queue import take_unheard
from leadagent.tenants import audit
from leadagent.tenants.models import User


class RunConflict(Exception):
    """The run is not in a state where this can be done. The text is for the person who asked."""


def start_run(lead: Lead, *, by: User | None = None, request: HttpRequest | None = None) -> WorkflowRun:
    """Start a new run for `lead`; a draft that still waits for approval is discarded for it.

    Raises `RunConflict` while another run is at work or its email is being sent.
    """
    with transaction.atomic():
        locked = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
        previous = locked.runs.main().filter(status__in=OPEN).first()
        if previous is not None:
            supersede(previous, timezone.now())
        run = create_run(locked, by=by)
        after = {"lead": str(locked.pk)}
        if previous is not None:
            after["in_place_of"] = f"run {previous.pk}"
        _record("run.started", run, by=by, after=after, request=request)
    return run


def create_run(
    lead: Lead,
    *,
    by: User | None = None,
    compared_with: WorkflowRun | None = None,
    chosen_models: Mapping[str, str] | None = None,
) -> WorkflowRun:
    """A run with its steps, ready for a worker. The caller has locked the lead or just made it.

    With `compared_with` it is a comparison, on `chosen_models`.
    """
    now = timezone.now()
    run = WorkflowRun.objects.create(
        organization_id=lead.organization_id,
        lead=lead,
        created_by=by,
        created_at=now,
        updated_at=now,
        is_comparison=compared_with is not None,
        compared_with=compared_with,
        chosen_models=dict(chosen_models or {}),
    )
    Step.objects.bulk_create(Step(run=run, name=name, position=i) for i, name in enumerate(StepName, start=1))
    set_lead_of(run, LeadStatus.WORKING)
    return run


def resume_run(run: WorkflowRun, *, by: User | None = None, request: HttpRequest | None = None) -> WorkflowRun:
    """Let a paused or failed run go on at the step that failed. Raises `RunConflict`."""
    with transaction.atomic():
        locked = lock_run(run.pk)
        because = locked.error_code if locked is not None else ""
        locked = _resume(locked)
        _record("run.resumed", locked, by=by, after={"stopped_by": because}, request=request)
    return locked


def resume_by_itself(run_id: UUID, *, because: str) -> bool:
    """Let a paused run go on because what paused it is mended; False where it is no longer paused.

    `because` says what was mended, for the audit log.
    """
    with transaction.atomic():
        locked = lock_run(run_id)
        if locked is None or locked.status != RunStatus.PAUSED:
            return False
        stopped_by = locked.error_code
        try:
            locked = _resume(locked)
        except RunConflict:
            return False
        locked.auto_resumed_at = timezone.now()
        locked.save(update_fields=["auto_resumed_at"])
        _record("run.resumed", locked, by=None, after={"stopped_by": stopped_by, "because": because}, request=None)
    return True


def platform_offer(run: WorkflowRun) -> list[str]:
    """The operations that a person may let the platform's AI do in this paused run; empty where nothing is offered.

    Offered where the own key failed and the organisation says "ask" for the step that stopped.
    """
    if run.status != RunStatus.PAUSED or run.chosen_models:
        return []
    step = run.steps.filter(status=StepStatus.FAILED).first()
    if step is None or step.on_platform:
        return []
    return fallback.operations_to_grant(run.organization, step.name, step.error_code)


def grant_platform(run: WorkflowRun, *, by: User, request: HttpRequest | None = None) -> WorkflowRun:
    """Let the platform's AI stand in for the own key in this run, and let the run go on. Raises `RunConflict`."""
    with transaction.atomic():
        locked = lock_run(run.pk)
        operations = platform_offer(locked) if locked is not None else []
        if locked is None or not operations:
            raise RunConflict("There is nothing that the platform's AI could go on with in this run.")
        locked.platform_grant = operations
        locked.save(update_fields=["platform_grant"])
        audit.record(
            "fallback.granted",
            organization=locked.lead.organization,
            actor=by,
            target=f"run {locked.pk}",
            after={"operations": operations, "because": locked.error_code},
            request=request,
        )
        return _resume(locked)


def cancel_run(run: WorkflowRun, *, by: User | None = None, request: HttpRequest | None = None) -> WorkflowRun:
    """Stop a run for good. A step at work notices at its next heartbeat. Raises `RunConflict`."""
    now = timezone.now()
    with transaction.atomic():
        locked = lock_run(run.pk)
        if locked is None or not locked.may_cancel:
            raise RunConflict("This run has already ended.")
        locked.steps.filter(status=StepStatus.RUNNING).update(
            status=StepStatus.PENDING, lease_token=None, lease_expires_at=None, finished_at=now
        )
        set_run(locked, RunStatus.CANCELLED, now)
        # Nothing has been decided about the lead itself.
        set_lead_of(locked, LeadStatus.NEW)
        _record("run.cancelled", locked, by=by, after={"lead": str(locked.lead_id)}, request=request)
    return locked


def take_due_runs(*, limit: int = 200) -> list[UUID]:
    """Ids of runs whose next step waits and whose nudge seems lost; they count as nudged from now on."""
    now = timezone.now()
    steps = Step.objects.filter(run__status__in=ACTIVE)
    pending, running = Q(status=StepStatus.PENDING), Q(status=StepStatus.RUNNING)
    unfinished = steps.filter(pending | running)
    busy = steps.filter((running & Q(lease_expires_at__gt=now)) | (pending & Q(next_attempt_at__gt=now)))
    due = WorkflowRun.objects.filter(status__in=ACTIVE, pk__in=unfinished.values("run_id"))
    return take_unheard(due.exclude(pk__in=busy.values("run_id")), limit=limit)


def _resume(locked: WorkflowRun | None) -> WorkflowRun:
    if locked is None or not locked.may_resume:
        raise RunConflict("This run is neither paused nor failed, so there is nothing to resume.")
    same_kind = locked.lead.runs.filter(is_comparison=locked.is_comparison)
    if same_kind.filter(created_at__gt=locked.created_at).exists():
        raise RunConflict("A newer run of this lead exists; this one stays as it is.")
    locked.steps.exclude(status=StepStatus.SUCCEEDED).update(
        status=StepStatus.PENDING,
        attempts=0,
        workers_lost=0,
        next_attempt_at=None,
        error_code="",
        error_sentence="",
        on_platform=False,
        platform_code="",
        platform_reason="",
        model="",
        meant_model="",
        model_code="",
        model_reason="",
    )
    set_run(locked, RunStatus.QUEUED, timezone.now())
    set_lead_of(locked, LeadStatus.WORKING)
    return locked


def _record(
    action: str, run: WorkflowRun, *, by: User | None, after: dict[str, str], request: HttpRequest | None
) -> None:
    audit.record(
        action,
        organization=run.lead.organization,
        actor=by,
        target=f"run {run.pk}",
        after=after,
        request=request,
    )


def supersede(run: WorkflowRun, now: datetime) -> None:
    """Let the locked open run make room: its draft is discarded. Raises `RunConflict` while it or its email moves."""
    if run.is_active:
        raise RunConflict("A run of this lead is already under way.")
    if not discard_superseded(run):
        raise RunConflict("The email is being sent right now. Wait until that has ended.")
    set_run(run, RunStatus.CANCELLED, now)
