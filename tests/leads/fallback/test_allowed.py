"""A run whose own key fails where the organisation allows the platform's AI: it goes on at once, and says so."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from leadagent.leads.models import RunStatus, StepStatus, WorkflowRun
from leadagent.leads.running.workflow import resume_run
from leadagent.tenants.models import Membership, Organization
from tests.leads.conftest import FakeProvider
from tests.leads.fallback.conftest import Work
from tests.leads.fallback.consent import LINE, REASON, page, say, told, trouble

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]


def test_an_allowed_step_is_repeated_at_once_and_the_run_says_so(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    viewer: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "allow")
    provider.fail_with["qualification"] = trouble()

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert provider.exchanges == [
        ("research", "own"),
        ("qualification", "own"),
        ("qualification", "platform"),
        # The next step tries the own key first again.
        ("email_generation", "own"),
    ]
    steps = {step.name: step for step in run.steps.all()}
    assert [(name, step.on_platform, step.attempts) for name, step in steps.items()] == [
        ("research", False, 1),
        ("qualification", True, 1),
        ("email_generation", False, 1),
    ]
    assert (steps["qualification"].platform_code, steps["qualification"].platform_reason) == ("invalid_key", REASON)
    assert told("fallback.used") == [(f"run {run.pk}", {"operation": "qualification", "because": "invalid_key"})]
    client = signed_in(viewer)
    assert page(client, run).count(f"Done {LINE}") == 1
    in_api = client.get(f"/api/leads/{run.lead_id}").json()["run"]["steps"]
    assert [(step["on_platform"], step["platform_reason"]) for step in in_api] == [
        (False, ""),
        (True, REASON),
        (False, ""),
    ]


def test_the_audit_log_is_told_once_per_run(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with = {name: trouble("no_credit") for name in ("research", "qualification", "email_generation")}

    run = work(run)

    assert run.status == RunStatus.AWAITING_REVIEW
    assert [step.on_platform for step in run.steps.all()] == [True, True, True]
    assert len(told("fallback.used")) == 1


def test_a_key_that_is_missing_when_resolving_costs_no_call(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(organization, "allow")
    resolve = provider.get_model_for_tenant

    def without_a_key(*args: Any, **kwargs: Any) -> Any:
        if kwargs["fallback"] is None:
            raise trouble("config_missing")
        return resolve(*args, **kwargs)

    monkeypatch.setattr("byok.resolver.get_model_for_tenant", without_a_key)

    assert work(run).status == RunStatus.AWAITING_REVIEW
    assert provider.exchanges == [(name, "platform") for name in ("research", "qualification", "email_generation")]


@pytest.mark.parametrize("code", ["content_refused", "context_too_long", "model_not_found", "region_refused"])
def test_what_fails_on_any_key_stops_as_before(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work, code: str
) -> None:
    say(organization, "allow")
    provider.fail_with["research"] = trouble(code)

    run = work(run)

    assert run.error_code == code
    assert provider.exchanges == [("research", "own")]
    assert told("fallback.used") == []


def test_the_free_tier_may_be_used_up(
    organization: Organization,
    provider: FakeProvider,
    run: WorkflowRun,
    work: Work,
    member: Membership,
    signed_in: SignIn,
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("quota_exhausted")}

    run = work(run)

    assert (run.status, run.error_code) == (RunStatus.PAUSED, "quota_exhausted")
    assert run.error_sentence == trouble("quota_exhausted").sentence
    # Nothing left for the platform's AI, so nothing of it was used.
    assert told("fallback.used") == []
    shown = page(signed_in(member), run)
    assert f"Tried {LINE}" in shown
    assert "for this run" not in shown


def test_a_passing_trouble_of_the_platform_is_waited_for(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("overloaded")}

    run = work(run)

    step = run.steps.get(name="research")
    assert (run.status, step.status, step.on_platform) == (RunStatus.WAITING, StepStatus.PENDING, True)
    assert len(told("fallback.used")) == 1


def test_the_next_attempt_starts_with_a_clean_slate(
    organization: Organization, provider: FakeProvider, run: WorkflowRun, work: Work
) -> None:
    say(organization, "allow")
    provider.fail_with |= {"research": trouble(), "research platform": trouble("quota_exhausted")}
    run = work(run)
    provider.fail_with.clear()

    run = work(resume_run(run))

    assert run.status == RunStatus.AWAITING_REVIEW
    assert not run.steps.filter(on_platform=True).exists()
    assert not run.steps.exclude(platform_reason="").exists()
