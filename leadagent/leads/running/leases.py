"""Steps and their leases: who may run a step, and how it ended.

A step is claimed with a token that only its worker knows and that expires if the worker
dies. Every write about a step names the token, so a worker that was given up for dead
cannot overwrite its successor, and a step that has succeeded never runs again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from leadagent.leads.emails.writing import Email, create_draft
from leadagent.leads.models import LeadStatus, Qualification, RunStatus, Step, StepName, StepStatus, WorkflowRun
from leadagent.leads.running.retrying import MAX_WORKERS_LOST, attempts_for, pause_before_retry
from leadagent.leads.running.run_state import (
    ModelUse,
    StepFailure,
    TakenOver,
    lock_run,
    note_platform_use,
    set_lead_of,
    set_run,
    set_verdict,
)

# Renewed every few seconds while the step runs; long enough for one slow call in between.
LEASE = timedelta(seconds=60)

# With these the platform's AI was wanted, and nothing left for it.
_NEVER_SENT = frozenset({"quota_exhausted", "quota_unavailable"})


class LeaseLost(Exception):
    """The step belongs to someone else by now, or its run has been stopped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one step, proved by `token`."""

    run_id: UUID
    step_id: int
    name: StepName
    token: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a step found: `result` is kept with the step, the rest goes where it belongs.

    `taken_over`: the platform's AI found it, in place of the own key. `model_use`: the model that found it.
    """

    result: Mapping[str, Any]
    qualification: Qualification | None = None
    email: Email | None = None
    taken_over: TakenOver | None = None
    model_use: ModelUse | None = None


WORKER_LOST = StepFailure(
    code="worker_lost",
    sentence=f"The worker stopped {MAX_WORKERS_LOST} times during this step. Resume the run to try again.",
    permanent=True,
)


def claim_step(run_id: UUID) -> Claim | None:
    """Claim the next step of the run, or None when there is nothing to do for this worker now.

    Of any number of workers that ask at once, one gets the step.
    """
    now = timezone.now()
    with transaction.atomic():
        run = lock_run(run_id)
        if run is None or not run.is_active:
            return None
        step = run.steps.exclude(status=StepStatus.SUCCEEDED).order_by("position").first()
        if step is None or not _is_due(step, now):
            return None
        lost = step.workers_lost + (step.status == StepStatus.RUNNING)
        if lost >= MAX_WORKERS_LOST:
            _end_step(run, step, WORKER_LOST, now)
            return None
        claim = Claim(run.pk, step.pk, StepName(step.name), uuid4(), step.attempts + 1)
        Step.objects.filter(pk=step.pk).update(
            status=StepStatus.RUNNING,
            attempts=claim.attempt,
            workers_lost=lost,
            lease_token=claim.token,
            lease_expires_at=now + LEASE,
            next_attempt_at=None,
            started_at=now,
            finished_at=None,
            error_code="",
            error_sentence="",
            **_how_it_ran(None, None),
        )
        set_run(run, RunStatus.RUNNING, now)
    return claim


def renew_lease(claim: Claim) -> bool:
    """Push the lease's end out again; False when the claim is no longer worth anything."""
    return bool(_held(claim).update(lease_expires_at=timezone.now() + LEASE))


def complete_step(claim: Claim, outcome: StepOutcome) -> bool:
    """Store what the step found; True when another step follows. Raises `LeaseLost`."""
    now = timezone.now()
    with transaction.atomic():
        run, _ = _locked(claim)
        _held(claim).update(
            status=StepStatus.SUCCEEDED,
            result=dict(outcome.result),
            lease_token=None,
            lease_expires_at=None,
            finished_at=now,
            **_how_it_ran(outcome.taken_over, outcome.model_use),
        )
        if outcome.taken_over is not None:
            note_platform_use(run, claim.name, outcome.taken_over.code, now)
        if outcome.qualification is not None:
            set_verdict(run, outcome.qualification)
        if outcome.email is not None:
            create_draft(run, outcome.email)
        if run.steps.exclude(status=StepStatus.SUCCEEDED).exists():
            set_run(run, RunStatus.RUNNING, now)
            return True
        set_run(run, RunStatus.DONE if run.is_comparison else RunStatus.AWAITING_REVIEW, now)
        set_lead_of(run, LeadStatus.REVIEW)
        return False


def fail_step(claim: Claim, failure: StepFailure) -> timedelta | None:
    """Store why the step ended; the pause until it is tried again, or None when a person has to act.

    Raises `LeaseLost`.
    """
    now = timezone.now()
    with transaction.atomic():
        run, step = _locked(claim)
        if failure.taken_over is not None and failure.code not in _NEVER_SENT:
            note_platform_use(run, claim.name, failure.taken_over.code, now)
        if failure.permanent:
            _end_step(run, step, failure, now)
            return None
        tries = step.attempts - step.workers_lost
        if tries >= attempts_for(failure.code):
            given_up = f"{failure.sentence} It was tried {tries} times; resume the run to try again."
            _end_step(run, step, replace(failure, sentence=given_up), now)
            return None
        pause = pause_before_retry(failure.code, tries, failure.retry_after)
        _held(claim).update(
            status=StepStatus.PENDING,
            lease_token=None,
            lease_expires_at=None,
            next_attempt_at=now + pause,
            finished_at=now,
            error_code=failure.code,
            error_sentence=failure.sentence,
            **_how_it_ran(failure.taken_over, failure.model_use),
        )
        set_run(run, RunStatus.WAITING, now, failure)
    return pause


def _locked(claim: Claim) -> tuple[WorkflowRun, Step]:
    run = lock_run(claim.run_id)
    step = _held(claim).first()
    if run is None or step is None:
        raise LeaseLost
    return run, step


def _held(claim: Claim) -> QuerySet[Step]:
    return Step.objects.filter(pk=claim.step_id, status=StepStatus.RUNNING, lease_token=claim.token)


def _is_due(step: Step, now: datetime) -> bool:
    if step.status == StepStatus.PENDING:
        return step.next_attempt_at is None or step.next_attempt_at <= now
    return step.status == StepStatus.RUNNING and (step.lease_expires_at is None or step.lease_expires_at <= now)


def _how_it_ran(taken_over: TakenOver | None, use: ModelUse | None) -> dict[str, Any]:
    """How a step's row says which model it ran on, and whether the platform's AI stood in for the own key."""
    return {
        "on_platform": taken_over is not None,
        "platform_code": taken_over.code if taken_over else "",
        "platform_reason": taken_over.reason if taken_over else "",
        "model": use.model if use else "",
        "meant_model": use.meant if use else "",
        "model_code": use.code if use else "",
        "model_reason": use.reason if use else "",
    }


def _end_step(run: WorkflowRun, step: Step, failure: StepFailure, now: datetime) -> None:
    Step.objects.filter(pk=step.pk).update(
        status=StepStatus.FAILED,
        lease_token=None,
        lease_expires_at=None,
        finished_at=now,
        error_code=failure.code,
        error_sentence=failure.sentence,
        **_how_it_ran(failure.taken_over, failure.model_use),
    )
    run.budget_needed = failure.budget_needed
    run.save(update_fields=["budget_needed"])
    set_run(run, RunStatus.PAUSED if failure.needs_admin else RunStatus.FAILED, now, failure)
    set_lead_of(run, LeadStatus.ATTENTION)
