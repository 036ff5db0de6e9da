"""A run whose model is busy or gone goes on with the organisation's next one, and says so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from byok.calls.model_fallback import OwnModel
from byok.calls.platform_fallback import Fallback
from byok.errors import AIError
from byok.models import AIConfig
from leadagent.leads import tasks
from leadagent.leads.models import RunStatus, Step, StepName, WorkflowRun
from leadagent.leads.running.workflow import resume_run
from leadagent.tenants.models import Membership, Organization
from tests.leads.conftest import FakeProvider, Nudges
from tests.leads.factories import LeadFactory, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]
FIRST, SECOND, THIRD = "gpt-first", "gpt-second", "gpt-third"


@pytest.fixture
def run(organization: Organization) -> WorkflowRun:
    AIConfig.objects.create(
        organization=organization,
        provider="openai",
        chat_model=FIRST,
        further_models={name: [SECOND, THIRD] for name in ("research", "qualification")},
    )
    return run_for(LeadFactory(organization=organization))


@pytest.fixture
def asked(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(operation, model) as they are resolved; those in `busy` end with an error."""
    seen: list[tuple[str, str]] = []
    resolve = provider.get_model_for_tenant

    def resolving(organization: Organization, kind: str, **more: Any) -> Any:
        wish: Fallback | None = more["fallback"]
        model = wish.model if isinstance(wish, OwnModel) else FIRST
        seen.append((more["operation"], model))
        if error := provider.fail_with.get(model):
            raise error
        return resolve(organization, kind, **more)

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", resolving)
    return seen


@pytest.fixture
def work(nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Callable[..., Any]:
    """`work(run)`: one attempt of one step; the step as it is then."""

    def once(run: WorkflowRun, name: StepName = StepName.RESEARCH) -> Step:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.advance_run(str(run.pk))
        return run.steps.get(name=name)

    return once


def overloaded() -> AIError:
    return AIError("overloaded", provider="openai", status=503)


def test_the_step_keeps_both_models_and_why(
    provider: FakeProvider,
    asked: list[tuple[str, str]],
    run: WorkflowRun,
    work: Callable[..., Step],
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    provider.fail_with[FIRST] = overloaded()

    step = work(run)

    assert asked == [("research", FIRST), ("research", SECOND)]
    assert (step.status, step.attempts) == ("succeeded", 1)
    assert (step.model, step.meant_model, step.model_code) == (SECOND, FIRST, "overloaded")
    assert step.model_reason == f"OpenAI could not serve {FIRST} at that moment"
    assert not step.on_platform
    client = signed_in(viewer)
    page = client.get(f"/o/acme/leads/{run.lead_id}/").content.decode()
    assert f"Done with {SECOND} in place of {FIRST}, because {step.model_reason}." in page
    [research, *_] = client.get(f"/api/leads/{run.lead_id}").json()["run"]["steps"]
    assert (research["model"], research["meant_model"], research["model_reason"]) == (
        SECOND,
        FIRST,
        step.model_reason,
    )


def test_a_step_on_its_own_model_says_which(
    asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step], viewer: Membership, signed_in: SignIn
) -> None:
    step = work(run)
    assert (step.model, step.meant_model, step.model_code, step.model_reason) == (FIRST, FIRST, "", "")
    assert "in place of" not in signed_in(viewer).get(f"/o/acme/leads/{run.lead_id}/").content.decode()


def test_the_next_step_begins_with_its_own_model_again(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step]
) -> None:
    provider.fail_with[FIRST] = overloaded()
    work(run)
    del provider.fail_with[FIRST]
    step = work(run, StepName.QUALIFICATION)
    assert asked[-1] == ("qualification", FIRST)
    assert step.model == FIRST


def test_an_operation_without_further_models_waits_as_before(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step]
) -> None:
    work(run)
    work(run, StepName.QUALIFICATION)
    provider.fail_with[FIRST] = overloaded()
    step = work(run, StepName.EMAIL_GENERATION)
    assert asked[-1] == ("email_generation", FIRST)
    assert (step.status, step.error_code, step.model) == ("pending", "overloaded", FIRST)


def test_a_rate_limit_is_waited_for_once(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step], nudges: Nudges
) -> None:
    provider.fail_with[FIRST] = AIError("rate_limited", provider="openai", status=429, retry_after=2)

    step = work(run)
    assert (step.status, step.attempts, step.error_code) == ("pending", 1, "rate_limited")
    assert asked == [("research", FIRST)]

    Step.objects.update(next_attempt_at=None)
    step = work(run)
    assert asked[1:] == [("research", FIRST), ("research", SECOND)]
    assert (step.status, step.attempts, step.model, step.model_code) == ("succeeded", 2, SECOND, "rate_limited")


def test_a_limit_that_lasts_is_not_waited_for(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step]
) -> None:
    provider.fail_with[FIRST] = AIError("rate_limited", provider="openai", status=429, retry_after=600)
    step = work(run)
    assert (step.status, step.model) == ("succeeded", SECOND)


def test_all_of_them_busy_the_step_waits_and_begins_at_the_first_again(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step], nudges: Nudges
) -> None:
    provider.fail_with |= dict.fromkeys((FIRST, SECOND, THIRD), overloaded())

    step = work(run)

    assert [model for _, model in asked] == [FIRST, SECOND, THIRD]
    assert (step.status, step.model, step.meant_model) == ("pending", THIRD, FIRST)
    [(_, _, pause)] = nudges.take()
    assert pause >= timedelta(seconds=4)
    provider.fail_with.clear()
    Step.objects.update(next_attempt_at=None)
    step = work(run)
    assert (step.status, step.model, step.model_reason) == ("succeeded", FIRST, "")


def test_a_key_that_is_refused_asks_no_other_model(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step]
) -> None:
    for code in ("invalid_key", "no_credit", "budget_exhausted", "content_refused", "bad_request"):
        provider.fail_with[FIRST] = AIError(code, provider="openai", status=400)
        step = work(run)
        assert (step.status, step.error_code, step.model) == ("failed", code, FIRST)
        resume_run(run)
    assert {model for _, model in asked} == {FIRST}


def test_resuming_forgets_which_model_was_tried(
    provider: FakeProvider, asked: list[tuple[str, str]], run: WorkflowRun, work: Callable[..., Step]
) -> None:
    gone = AIError("model_not_found", provider="openai", status=404)
    provider.fail_with |= dict.fromkeys((FIRST, SECOND, THIRD), gone)
    step = work(run)
    run.refresh_from_db()
    assert (run.status, step.model) == (RunStatus.PAUSED, THIRD)
    assert "2 further models could not answer either." in run.error_sentence
    resume_run(run)
    step.refresh_from_db()
    assert (step.model, step.meant_model, step.model_code, step.model_reason) == ("", "", "", "")
