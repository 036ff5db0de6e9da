"""The whole way of a lead through the workers, with functions in place of models."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo
from pytest_django import DjangoCaptureOnCommitCallbacks

from byok.errors import AIError
from leadagent.leads import tasks
from leadagent.leads.models import EmailDraft, LeadStatus, RunStatus, Step, StepName, StepStatus, WorkflowRun
from leadagent.leads.running import steps
from leadagent.leads.running.leases import Claim, renew_lease
from leadagent.leads.running.workflow import cancel_run, resume_run
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(
    nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Callable[[WorkflowRun], None]:
    """`work(run)`: what workers do until nobody is told to go on at once."""

    def until_quiet(run: WorkflowRun) -> None:
        nudges.sent.append(("advance_run", run.pk, timedelta(0)))
        while due := [entry for entry in nudges.take() if entry[2] == timedelta(0)]:
            for name, run_id, _ in due:
                assert name == "advance_run"
                with django_capture_on_commit_callbacks(execute=True):
                    tasks.advance_run(str(run_id))

    return until_quiet


def reloaded(run: WorkflowRun) -> WorkflowRun:
    return WorkflowRun.objects.select_related("lead").get(pk=run.pk)


def test_a_lead_becomes_a_draft_under_review(provider: FakeProvider, work: Callable[[WorkflowRun], None]) -> None:
    run = run_for(LeadFactory())

    work(run)

    run = reloaded(run)
    assert (run.status, run.lead.status) == (RunStatus.AWAITING_REVIEW, LeadStatus.REVIEW)
    assert run.qualification is not None
    assert run.qualification.category == "QUALIFIED"
    assert run.steps.filter(name=StepName.RESEARCH, result__report="They make gears.").exists()
    draft = EmailDraft.objects.get(run=run)
    assert (draft.subject, draft.body) == ("Your gears", "Dear Ann,\n\nshall we talk?")
    assert provider.operations == ["research", "qualification", "email_generation"]
    for call in provider.calls:
        assert (call["organization"], call["lead"], call["run"]) == (run.organization, run.lead_id, run.pk)


def test_each_step_builds_on_the_one_before(provider: FakeProvider, work: Callable[[WorkflowRun], None]) -> None:
    work(run_for(LeadFactory(message="Please quote 400 licences.")))

    research, qualification, email = provider.prompts
    assert "400 licences" in research
    assert "They make gears." in qualification
    assert "They want to buy." in email


def test_a_missing_key_pauses_the_run_and_resuming_repeats_nothing(
    provider: FakeProvider, work: Callable[[WorkflowRun], None]
) -> None:
    run = run_for(LeadFactory())
    provider.fail_with["qualification"] = AIError("invalid_key", provider="openai")
    work(run)

    run = reloaded(run)
    assert (run.status, run.lead.status, run.error_code) == (RunStatus.PAUSED, LeadStatus.ATTENTION, "invalid_key")
    assert "key" in run.error_sentence

    del provider.fail_with["qualification"]
    resume_run(run)
    work(run)

    assert reloaded(run).status == RunStatus.AWAITING_REVIEW
    assert provider.operations == ["research", "qualification", "qualification", "email_generation"]


def test_a_refusal_before_the_call_pauses_it_too(provider: FakeProvider, work: Callable[[WorkflowRun], None]) -> None:
    provider.fail_with["research config"] = AIError("config_missing", provider="openai")
    run = run_for(LeadFactory())

    work(run)

    assert reloaded(run).status == RunStatus.PAUSED
    assert reloaded(run).error_code == "config_missing"


@pytest.mark.parametrize(("code", "attempts"), [("overloaded", 5), ("bad_response", 3)])
def test_a_passing_failure_is_tried_again_as_often_as_its_kind_deserves(
    provider: FakeProvider, work: Callable[[WorkflowRun], None], code: str, attempts: int
) -> None:
    provider.fail_with["qualification"] = AIError(code, provider="openai")
    run = run_for(LeadFactory())
    at = timezone.now()
    for attempt in range(1, attempts + 1):
        with time_machine.travel(at + attempt * timedelta(minutes=15)):
            work(run)
        assert [call["operation"] for call in provider.calls].count("qualification") == attempt

    assert reloaded(run).status == RunStatus.FAILED
    assert reloaded(run).error_code == code


def test_after_a_passing_failure_a_worker_is_told_to_come_back(
    provider: FakeProvider, nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    provider.fail_with["research"] = AIError("rate_limited", provider="openai", retry_after=30)
    run = run_for(LeadFactory())

    with django_capture_on_commit_callbacks(execute=True):
        tasks.advance_run(str(run.pk))

    assert nudges.sent == [("advance_run", run.pk, timedelta(seconds=30))]
    assert reloaded(run).status == RunStatus.WAITING


def test_our_own_failure_says_so_and_shows_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[WorkflowRun], None]
) -> None:
    def fail(run: WorkflowRun, fallback: object) -> None:
        raise KeyError("sk-or-v1-secret-in-a-message")

    monkeypatch.setitem(steps._WORK, StepName.RESEARCH, fail)
    run = run_for(LeadFactory())

    work(run)

    run = reloaded(run)
    assert (run.status, run.error_code) == (RunStatus.FAILED, "internal_error")
    assert "secret" not in run.error_sentence + run.steps.get(name=StepName.RESEARCH).error_sentence


def test_a_database_that_is_away_leaves_the_step_to_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(run: WorkflowRun, fallback: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setitem(steps._WORK, StepName.RESEARCH, fail)
    run = run_for(LeadFactory())

    with pytest.raises(OperationalError):
        tasks.advance_run(str(run.pk))

    assert reloaded(run).status == RunStatus.RUNNING
    assert run.steps.get(name=StepName.RESEARCH).status == StepStatus.RUNNING


def test_cancelling_ends_the_call_at_the_next_heartbeat(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "HEARTBEAT_SECONDS", 0.05)
    run = run_for(LeadFactory())
    answered = threading.Event()

    async def slow(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        import asyncio

        await asyncio.sleep(20)
        answered.set()
        return ModelResponse(parts=[TextPart("Too late.")])

    beats: list[bool] = []

    def beat(claim: Claim) -> bool:
        if not beats:
            cancel_run(run)
        beats.append(renew_lease(claim))
        return beats[-1]

    monkeypatch.setattr(steps, "_still_wanted", beat)
    from pydantic_ai.models.function import FunctionModel

    original = provider.get_model_for_tenant

    def slow_model(*args: object, **kwargs: object) -> object:
        model = original(*args, **kwargs)  # type: ignore[arg-type]
        model.model = lambda: FunctionModel(slow)
        return model

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", slow_model)

    assert steps.perform_step(claimed(run)) is None

    assert beats == [False]
    assert not answered.is_set()
    assert reloaded(run).status == RunStatus.CANCELLED
    assert Step.objects.get(run=run, name=StepName.RESEARCH).result is None


def test_a_heartbeat_keeps_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_for(LeadFactory())
    claim = claimed(run)
    Step.objects.filter(pk=claim.step_id).update(lease_expires_at=timezone.now())

    assert steps._still_wanted(claim)
    assert Step.objects.filter(pk=claim.step_id, lease_expires_at__gt=timezone.now()).exists()

    def away(claim: object) -> bool:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(steps, "renew_lease", away)
    assert steps._still_wanted(claim), "storing the result checks the lease again"
