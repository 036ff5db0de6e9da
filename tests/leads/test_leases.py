"""Who may run a step, and how its end is stored."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from leadagent.leads.models import Category, EmailDraft, LeadStatus, RunStatus, Step, StepName, StepStatus, WorkflowRun
from leadagent.leads.running.leases import (
    LEASE,
    LeaseLost,
    claim_step,
    complete_step,
    fail_step,
    renew_lease,
)
from leadagent.leads.running.retrying import LONGEST_PAUSE, MAX_WORKERS_LOST, attempts_for
from leadagent.leads.running.run_state import StepFailure
from leadagent.leads.running.workflow import cancel_run
from tests.leads.factories import OUTCOMES, LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db

SLOW = StepFailure("timeout", "The provider did not answer in time.", permanent=False)


def step_of(run: WorkflowRun, name: StepName = StepName.RESEARCH) -> Step:
    return run.steps.get(name=name)


def test_steps_are_claimed_in_order_and_end_in_a_review() -> None:
    run = run_for(LeadFactory())
    names: list[Any] = []
    while (claim := claim_step(run.pk)) is not None:
        names.append(claim.name)
        assert complete_step(claim, OUTCOMES[claim.name]) is (claim.name != StepName.EMAIL_GENERATION)

    assert names == [StepName.RESEARCH, StepName.QUALIFICATION, StepName.EMAIL_GENERATION]
    run = WorkflowRun.objects.select_related("lead").get(pk=run.pk)
    assert (run.status, run.lead.status) == (RunStatus.AWAITING_REVIEW, LeadStatus.REVIEW)
    assert (run.category, run.reason, run.confidence) == (Category.QUALIFIED, "They want to buy.", 0.9)
    draft = EmailDraft.objects.get(run=run)
    assert (draft.subject, draft.original_body, draft.version) == ("Your gears", draft.body, 1)
    assert draft.message_id == f"<{draft.pk}@localhost>"


def test_a_claimed_step_is_not_claimed_again() -> None:
    run = run_for(LeadFactory())
    claimed(run)

    assert claim_step(run.pk) is None
    assert step_of(run).attempts == 1


def test_a_completed_step_is_never_run_again() -> None:
    run = run_for(LeadFactory(), done=1)
    before = Step.objects.filter(run=run, name=StepName.RESEARCH).values().get()
    claim = claimed(run)

    assert claim.name == StepName.QUALIFICATION
    assert Step.objects.filter(run=run, name=StepName.RESEARCH).values().get() == before


def test_the_lease_of_a_dead_worker_expires_and_its_result_is_refused() -> None:
    run = run_for(LeadFactory())
    dead = claimed(run)
    with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
        successor = claimed(run)

        assert successor.token != dead.token
        assert not renew_lease(dead)
        with pytest.raises(LeaseLost):
            complete_step(dead, OUTCOMES[StepName.RESEARCH])
        with pytest.raises(LeaseLost):
            fail_step(dead, SLOW)
        assert complete_step(successor, OUTCOMES[StepName.RESEARCH])


def test_a_renewed_lease_holds() -> None:
    run = run_for(LeadFactory())
    claim = claimed(run)
    with time_machine.travel(timezone.now() + LEASE - timedelta(seconds=1)):
        assert renew_lease(claim)
    with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=30)):
        assert claim_step(run.pk) is None


def test_a_step_that_takes_its_worker_down_is_given_up() -> None:
    run = run_for(LeadFactory())
    at = timezone.now()
    for attempt in range(MAX_WORKERS_LOST):
        with time_machine.travel(at + attempt * (LEASE + timedelta(seconds=1))):
            claimed(run)
    with time_machine.travel(at + timedelta(hours=1)):
        assert claim_step(run.pk) is None

    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "worker_lost")
    assert step_of(run).status == StepStatus.FAILED


def test_a_passing_failure_is_tried_again_after_a_growing_pause() -> None:
    run = run_for(LeadFactory())
    pauses: list[timedelta] = []
    at = timezone.now()
    for _ in range(attempts_for("timeout") - 1):
        with time_machine.travel(at, tick=False):
            pause = fail_step(claimed(run), SLOW)
            assert pause is not None
            pauses.append(pause)
            assert claim_step(run.pk) is None
            run.refresh_from_db()
            assert (run.status, run.error_sentence) == (RunStatus.WAITING, SLOW.sentence)
        at += pause
    with time_machine.travel(at):
        assert fail_step(claimed(run), SLOW) is None

    assert timedelta(seconds=4) <= pauses[0] <= timedelta(seconds=6)
    assert timedelta(seconds=16) <= pauses[1] <= timedelta(seconds=24)
    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "timeout")
    assert run.error_sentence == f"{SLOW.sentence} It was tried 3 times; resume the run to try again."
    assert WorkflowRun.objects.get(pk=run.pk).lead.status == LeadStatus.ATTENTION


@pytest.mark.parametrize(("wish", "pause"), [(90.0, timedelta(seconds=90)), (86_400.0, LONGEST_PAUSE)])
def test_the_providers_wish_is_respected_within_reason(wish: float, pause: timedelta) -> None:
    run = run_for(LeadFactory())
    failure = StepFailure("rate_limited", "Too many requests.", permanent=False, retry_after=wish)

    assert fail_step(claimed(run), failure) == pause


@pytest.mark.parametrize(("needs_admin", "status"), [(True, RunStatus.PAUSED), (False, RunStatus.FAILED)])
def test_a_lasting_failure_waits_for_a_person(needs_admin: bool, status: RunStatus) -> None:
    run = run_for(LeadFactory())
    failure = StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=needs_admin)

    assert fail_step(claimed(run), failure) is None

    run.refresh_from_db()
    assert (run.status, run.error_code, run.error_sentence) == (status, "invalid_key", "Save a new key.")
    assert step_of(run).error_sentence == "Save a new key."


def test_the_result_of_a_cancelled_run_is_refused() -> None:
    run = run_for(LeadFactory(), done=2)
    claim = claimed(run)
    cancel_run(run)

    assert not renew_lease(claim)
    with pytest.raises(LeaseLost):
        complete_step(claim, OUTCOMES[claim.name])
    assert not EmailDraft.objects.filter(run=run).exists()


@pytest.mark.parametrize(
    ("code", "tries", "first"),
    [("rate_limited", 5, 4), ("overloaded", 5, 4), ("unreachable", 6, 5), ("bad_response", 3, 1), ("timeout", 3, 4)],
)
def test_how_often_and_how_soon_depends_on_the_trouble(code: str, tries: int, first: int) -> None:
    run = run_for(LeadFactory())
    failure = StepFailure(code, "It passes.", permanent=False)
    pauses: list[timedelta | None] = []
    at = timezone.now()
    while not pauses or pauses[-1] is not None:
        with time_machine.travel(at, tick=False):
            pauses.append(fail_step(claimed(run), failure))
        at += pauses[-1] or timedelta(0)

    assert len(pauses) == tries
    assert pauses[0] is not None
    assert timedelta(seconds=first) <= pauses[0] <= timedelta(seconds=1.5 * first)
    run.refresh_from_db()
    assert run.error_sentence == f"It passes. It was tried {tries} times; resume the run to try again."


def test_a_lost_worker_takes_no_attempt_away() -> None:
    run = run_for(LeadFactory())
    at = timezone.now()
    for _ in range(MAX_WORKERS_LOST - 1):
        with time_machine.travel(at, tick=False):
            claimed(run)
        at += LEASE + timedelta(seconds=1)
    pauses = []
    for _ in range(attempts_for("timeout")):
        with time_machine.travel(at, tick=False):
            pauses.append(fail_step(claimed(run), SLOW))
        at += pauses[-1] or timedelta(0)
    assert [pause is None for pause in pauses] == [False, False, True]
    run.refresh_from_db()
    assert run.error_sentence.endswith("It was tried 3 times; resume the run to try again.")
