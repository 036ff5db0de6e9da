"""A run's life: start, resume, cancel, and being found when its nudge was lost."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from leadagent.leads.models import (
    DraftStatus,
    EmailDraft,
    Lead,
    LeadStatus,
    RunStatus,
    Step,
    StepName,
    StepStatus,
    WorkflowRun,
)
from leadagent.leads.running.leases import LeaseLost, claim_step, complete_step, fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.leads.running.workflow import RunConflict, cancel_run, resume_run, start_run, take_due_runs
from leadagent.leads.work_queue import note_nudge
from tests.factories import UserFactory
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, draft_under_review, run_for

pytestmark = pytest.mark.django_db

NO_KEY = StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True)
BROKEN = StepFailure("internal_error", "It broke.", permanent=True)


def reloaded(run: WorkflowRun) -> WorkflowRun:
    return WorkflowRun.objects.select_related("lead").get(pk=run.pk)


def test_a_new_run_has_its_steps_and_moves_its_lead() -> None:
    lead, by = LeadFactory(), UserFactory()

    run = start_run(lead, by=by)

    assert [(step.name, step.status) for step in run.steps.all()] == [
        (StepName.RESEARCH, StepStatus.PENDING),
        (StepName.QUALIFICATION, StepStatus.PENDING),
        (StepName.EMAIL_GENERATION, StepStatus.PENDING),
    ]
    assert (run.status, run.organization, run.created_by) == (RunStatus.QUEUED, lead.organization, by)
    assert reloaded(run).lead.status == LeadStatus.WORKING


def test_a_lead_has_one_run_at_a_time() -> None:
    lead = LeadFactory()
    start_run(lead)

    with pytest.raises(RunConflict, match="already under way"):
        start_run(lead)
    with pytest.raises(IntegrityError):
        WorkflowRun.objects.create(organization=lead.organization, lead=lead)


def test_running_again_discards_the_draft_under_review() -> None:
    draft = draft_under_review()

    start_run(draft.run.lead)

    draft.refresh_from_db()
    assert draft.status == DraftStatus.DISCARDED
    assert reloaded(draft.run).status == RunStatus.CANCELLED


def test_an_email_on_its_way_is_not_superseded() -> None:
    draft = draft_under_review()
    EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENDING)

    with pytest.raises(RunConflict, match="being sent"):
        start_run(draft.run.lead)

    assert reloaded(draft.run).status == RunStatus.AWAITING_REVIEW


def test_resume_repeats_only_what_failed() -> None:
    run = run_for(LeadFactory(), done=1)
    fail_step(claimed(run), NO_KEY)
    assert reloaded(run).status == RunStatus.PAUSED
    assert claim_step(run.pk) is None
    research = run.steps.get(name=StepName.RESEARCH)

    resume_run(run)

    claim = claimed(run)
    assert claim.name == StepName.QUALIFICATION
    assert run.steps.get(name=StepName.RESEARCH).result == research.result
    assert run.steps.get(name=StepName.RESEARCH).attempts == 1
    after = reloaded(run)
    assert (after.status, after.error_sentence, after.lead.status) == (RunStatus.RUNNING, "", LeadStatus.WORKING)


def test_a_failed_run_can_be_resumed_and_a_finished_one_cannot() -> None:
    failed = run_for(LeadFactory())
    fail_step(claimed(failed), BROKEN)
    assert reloaded(failed).status == RunStatus.FAILED

    resume_run(failed)
    assert reloaded(failed).status == RunStatus.QUEUED

    with pytest.raises(RunConflict, match="nothing to resume"):
        resume_run(run_for(LeadFactory(), done=3))


def test_a_failed_run_stays_as_it_is_once_there_is_a_newer_one() -> None:
    old = run_for(LeadFactory())
    fail_step(claimed(old), BROKEN)
    new = start_run(old.lead)
    cancel_run(new)

    with pytest.raises(RunConflict, match="newer run"):
        resume_run(old)

    assert reloaded(old).status == RunStatus.FAILED


def test_cancel_stops_a_run_and_frees_its_lead() -> None:
    run = run_for(LeadFactory(), done=1)
    claim = claimed(run)

    cancel_run(run)

    assert reloaded(run).status == RunStatus.CANCELLED
    assert reloaded(run).lead.status == LeadStatus.NEW
    assert claim_step(run.pk) is None
    assert Step.objects.get(pk=claim.step_id).lease_token is None
    with pytest.raises(RunConflict):
        cancel_run(run)
    assert start_run(run.lead).status == RunStatus.QUEUED


def test_the_sweep_finds_what_waits_and_leaves_the_rest() -> None:
    now = timezone.now()
    forgotten = run_for(LeadFactory())
    nudged_just_now = run_for(LeadFactory())
    note_nudge(WorkflowRun, nudged_just_now.pk)
    nudge_lost = run_for(LeadFactory(), done=1)
    WorkflowRun.objects.filter(pk=nudge_lost.pk).update(nudged_at=now - timedelta(minutes=1))
    at_work = run_for(LeadFactory())
    claimed(at_work)
    abandoned = run_for(LeadFactory())
    Step.objects.filter(pk=claimed(abandoned).step_id).update(lease_expires_at=now - timedelta(seconds=1))
    waits_for_later = run_for(LeadFactory())
    fail_step(claimed(waits_for_later), StepFailure("timeout", "Slow.", permanent=False))
    paused = run_for(LeadFactory())
    fail_step(claimed(paused), NO_KEY)
    run_for(LeadFactory(), done=3)

    assert set(take_due_runs()) == {forgotten.pk, nudge_lost.pk, abandoned.pk}
    assert take_due_runs() == []

    Step.objects.filter(run=waits_for_later, next_attempt_at__isnull=False).update(next_attempt_at=now)
    assert take_due_runs() == [waits_for_later.pk]


def test_deleting_a_lead_takes_its_runs_along() -> None:
    run = run_for(LeadFactory())
    claim = claimed(run)
    Lead.objects.filter(pk=run.lead_id).delete()

    assert claim_step(run.pk) is None
    with pytest.raises(LeaseLost):
        complete_step(claim, OUTCOMES[claim.name])
