"""Runs that a provider stops in the middle: how they wait, pause or fail, and that nothing is asked twice afterwards."""

from collections.abc import Callable

import pytest

from leadagent.leads.models import EmailDraft, Lead, RunStatus, WorkflowRun
from leadagent.leads.running.workflow import resume_run, start_run
from tests.wire.models import CHAT_MODELS
from tests.wire.provider import Aimock
from tests.wire.refusals import REFUSALS
from tests.wire.runs import EMAIL, VERDICT, let_time_pass, perform_all, whole_workflow
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]
# What an admin has to mend pauses a run, what passes by itself lets it wait, what cannot be mended ends it.
STOPS = {
    "wrong key": RunStatus.PAUSED,
    "no credit": RunStatus.PAUSED,
    "no model": RunStatus.PAUSED,
    "bad request": RunStatus.FAILED,
    "too many": RunStatus.WAITING,
    "overloaded": RunStatus.WAITING,
}
# Every one on one wire, and the most frequent ones on each.
REFUSED = [
    *((provider, name) for provider in CHAT_MODELS for name in ("wrong key", "too many")),
    ("openai", "no credit"),
    ("openai", "bad request"),
    ("openrouter", "no model"),
    ("anthropic", "overloaded"),
]
FAULTS = [
    *((provider, "malformedRate", "bad_response") for provider in CHAT_MODELS),
    ("anthropic", "disconnectRate", "unreachable"),
    ("openrouter", "dropRate", "overloaded"),
]
FIRST = ["research-1", "research-2", "research-3"]


def finish(run: WorkflowRun) -> None:
    """What mends it has been done: by an admin who lets the run go on, or by time."""
    if run.status == RunStatus.WAITING:
        let_time_pass()
    else:
        resume_run(run)
    perform_all(run)


@pytest.mark.parametrize(("provider", "name"), REFUSED)
def test_a_refused_step_is_the_only_one_that_is_asked_again(mock: Aimock, lead: Lead, rows: Rows, name: str) -> None:
    refusal = REFUSALS[mock.provider][name]
    mock.answers(refusal.fixture(EMAIL), refusal.fixture(VERDICT), *whole_workflow(mock.provider))
    run = start_run(lead)
    perform_all(run)

    assert (run.status, run.error_code) == (STOPS[name], refusal.code)
    assert [call.status for call in mock.calls] == [200, 200, 200, refusal.status]
    step = run.steps.get(position=2)
    if refusal.retry_after is not None:
        assert step.next_attempt_at is not None
        assert step.finished_at is not None
        assert (step.next_attempt_at - step.finished_at).total_seconds() >= refusal.retry_after

    mock.answers_only(*whole_workflow(mock.provider))
    finish(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    calls, booked = mock.calls, rows()
    assert [call.answer_id for call in calls] == [*FIRST, "", "verdict-1", "email-1"]
    assert [(row.http_status, row.provider_request_id) for row in booked] == [
        (call.status, call.answer_id or call.request_id) for call in calls
    ]
    assert EmailDraft.objects.filter(run=run).count() == 1


@pytest.mark.parametrize(("provider", "fault", "code"), FAULTS)
def test_a_fault_of_the_wire_is_waited_for(mock: Aimock, lead: Lead, rows: Rows, fault: str, code: str) -> None:
    mock.answers(*whole_workflow(mock.provider))
    mock.fails(**{fault: 1})
    run = start_run(lead)
    perform_all(run)

    assert (run.status, run.error_code) == (RunStatus.WAITING, code)
    assert [row.error_code for row in rows()] == [code]

    mock.is_well_again()
    finish(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert [call.answer_id for call in mock.calls if not call.chaos] == [*FIRST, "verdict-1", "email-1"]
    assert len(rows()) == len(mock.calls) == 6
    assert {row.model for row in rows()} == {CHAT_MODELS[mock.provider]}
