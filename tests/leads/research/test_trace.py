"""What the page shows of the agent's work: live and afterwards, with the figures of the usage log."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo

from byok.errors import AIError
from leadagent.leads.models import AgentStep, StepName, WorkflowRun
from leadagent.leads.research import research
from leadagent.leads.research.trace import trace_of
from leadagent.leads.running.progress import progress_of
from leadagent.leads.running.steps import perform_step
from leadagent.tenants.models import Membership
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, claimed, run_for
from tests.leads.research.conftest import scripted
from tests.project.fake_internet import Network
from usage.models import AIUsage
from usage.recording.events import event_id_at

pytestmark = pytest.mark.django_db
LOOK = ("crm_search", {"company_or_domain": "gears"})


def usage_row(run: WorkflowRun, step: AgentStep, **figures: Any) -> None:
    """The usage log's row of a call that began a moment after `step` did."""
    at = step.started_at + timedelta(microseconds=100)
    AIUsage.objects.create(
        id=event_id_at(at),
        created_at=at.replace(microsecond=at.microsecond // 1000 * 1000),
        organization_id=run.organization_id,
        run_id=run.pk,
        lead_id=run.lead_id,
        provider="openai",
        model="gpt",
        key_owner="customer",
        success=True,
        **{"operation": "research", **figures},
    )


def aged(run: WorkflowRun) -> list[AgentStep]:
    """The run's steps, an hour old and a second apart: by then all usage has been counted."""
    steps = list(run.agent_steps.all())
    for number, step in enumerate(steps):
        step.started_at = timezone.now() - timedelta(hours=1) + timedelta(seconds=2 * number)
        step.finished_at = step.started_at + timedelta(seconds=1)
        step.save(update_fields=["started_at", "finished_at"])
    return steps


def test_each_step_has_the_figures_of_its_own_calls(run: WorkflowRun, provider: FakeProvider) -> None:
    provider.research = scripted(LOOK, LOOK, "They make gears.", tokens=250)
    research(run.lead, run=run)
    steps = aged(run)
    usage_row(run, steps[0], total_tokens=1_000, actual_cost=Decimal("0.002"))
    usage_row(run, steps[2], total_tokens=2_000, estimated_cost=Decimal("0.003"))
    # Another run's and another operation's calls at the same time are nobody's here.
    usage_row(run_for(LeadFactory(organization=run.organization)), steps[2], total_tokens=9, actual_cost=Decimal(9))
    usage_row(run, steps[2], operation="qualification", total_tokens=9, actual_cost=Decimal(9))

    trace = trace_of(run)
    assert trace is not None
    [attempt] = trace.attempts
    assert [(line.label, line.tokens, line.cost) for line in attempt.lines] == [
        ("Asked gpt", 1_000, Decimal("0.002")),
        ("Looked into the CRM", None, None),
        ("Asked gpt", 2_000, Decimal("0.003")),
        ("Looked into the CRM", None, None),
        # Not in the log: the tokens that the answer told, and a cost that stays unknown.
        ("Asked gpt", 250, None),
    ]
    assert (trace.requests, trace.lookups, trace.tokens, trace.cost, trace.unknown) == (
        3, 2, 3_250, Decimal("0.005"), 1,
    )  # fmt: skip


def test_a_call_of_unknown_cost_is_not_free(run: WorkflowRun, provider: FakeProvider) -> None:
    provider.research = scripted("Done.")
    research(run.lead, run=run)
    usage_row(run, aged(run)[0], total_tokens=5, state="unreconciled")
    trace = trace_of(run)
    assert trace is not None
    assert (trace.attempts[0].lines[0].cost, trace.cost, trace.unknown) == (None, Decimal(0), 1)


def test_the_page_shows_a_step_while_it_is_at_work(
    run: WorkflowRun, provider: FakeProvider, signed_in: Callable[[Membership], Client], viewer: Membership
) -> None:
    browser, url = signed_in(viewer), run.lead.get_absolute_url()
    seen: list[str] = []
    claim = claimed(run)

    def look(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return scripted(LOOK)(messages, info) if len(messages) == 1 else scripted("Done.")(messages, info)

    original = AgentStep.save

    def watched(step: AgentStep, *args: Any, **kwargs: Any) -> None:
        # On the thread that waits for the agent, in the middle of its work.
        original(step, *args, **kwargs)
        fingerprint = getattr(progress_of(run.lead), "fingerprint", "")
        asked = browser.get(url, {"seen": fingerprint}, headers={"HX-Request": "true"})
        assert asked.status_code == 204
        seen.append(browser.get(url, headers={"HX-Request": "true"}).content.decode())

    provider.research = look
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AgentStep, "save", watched)
        perform_step(claim)
    assert any("At work" in page and "Looked into the CRM" in page for page in seen)
    assert 'hx-trigger="every 1s"' in seen[0]
    page = browser.get(url).content.decode()
    assert page.count("Asked gpt") == 2
    assert "2 of 20 steps" in page
    assert "At work" not in page


def test_an_attempt_whose_worker_died_is_marked(
    run: WorkflowRun, provider: FakeProvider, signed_in: Callable[[Membership], Client], viewer: Membership
) -> None:
    claimed(run)
    AgentStep.objects.create(
        run=run, attempt=1, position=1, kind="model", name="gpt", started_at=timezone.now(), counted_tokens=10
    )
    run.steps.filter(name=StepName.RESEARCH).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    provider.research = scripted("Done.")
    perform_step(claimed(run))

    page = signed_in(viewer).get(run.lead.get_absolute_url()).content.decode()
    assert "Attempt 1" in page
    assert "its worker stopped; another one began anew" in page
    assert "Cut off" in page
    assert "Attempt 2" in page
    trace = trace_of(run)
    assert trace is not None
    assert [(attempt.number, attempt.was_cut) for attempt in trace.attempts] == [(1, True), (2, False)]


def test_a_failed_request_is_kept_without_the_providers_words(run: WorkflowRun, provider: FakeProvider) -> None:
    provider.fail_with["research"] = AIError("rate_limited", provider="openai", detail="secret words")
    with pytest.raises(AIError):
        research(run.lead, run=run)
    step = AgentStep.objects.get(run=run)
    assert (step.state, step.answer) == ("failed", "AIError")


def test_the_page_shows_the_sources_of_the_report(
    run: WorkflowRun,
    provider: FakeProvider,
    internet: Network,
    signed_in: Callable[[Membership], Client],
    viewer: Membership,
) -> None:
    provider.research = scripted(("fetch_url", {"url": "https://gears.example/"}), "They make gears [2]. No [7].")
    perform_step(claimed(run))
    page = signed_in(viewer).get(run.lead.get_absolute_url()).content.decode()
    assert '<a href="#source-2"' in page
    assert '<a href="https://gears.example/" rel="noopener nofollow noreferrer"' in page
    assert "1 citation named nothing that was read; it was taken out." in page
    assert "Read, not cited (1)" in page
    assert "The web was not searched" in page


def test_the_trace_costs_two_queries_whatever_its_length(
    run: WorkflowRun, provider: FakeProvider, django_assert_num_queries: Any
) -> None:
    provider.research = scripted(LOOK, LOOK, LOOK, "Done.")
    research(run.lead, run=run)
    with django_assert_num_queries(2):
        trace_of(run)
