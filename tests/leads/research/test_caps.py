"""The limits of a run: what counts, over how many attempts, and what happens at the edge."""

from decimal import Decimal
from typing import TYPE_CHECKING, cast

import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pytest_django import Settings

from byok.errors import AIError
from byok.pricing import list_pricing
from leadagent.leads.models import AgentStep, AgentStepState, WorkflowRun
from leadagent.leads.research import research
from leadagent.leads.research.caps import MOST_LOOKUPS, Cap, CapReached, spent_by
from leadagent.leads.research.journal import Journal
from tests.leads.conftest import FakeProvider
from tests.leads.research.conftest import scripted

if TYPE_CHECKING:
    from byok.resolver import TenantModel

pytestmark = pytest.mark.django_db
LOOK = ("crm_search", {"company_or_domain": "gears"})


def reached(run: WorkflowRun) -> CapReached:
    with pytest.raises(CapReached) as caught:
        research(run.lead, run=run)
    return caught.value


def test_tokens_are_counted_over_all_attempts(run: WorkflowRun, provider: FakeProvider, settings: Settings) -> None:
    settings.RESEARCH_MAX_TOKENS = 1_000
    provider.research = scripted(LOOK, LOOK, ModelHTTPError(500, "gpt"), tokens=300)
    with pytest.raises(AIError):
        research(run.lead, run=run)
    assert spent_by(run).tokens == 600

    provider.research = scripted(LOOK, tokens=300)
    error = reached(run)
    assert (error.cap, error.code) == (Cap.TOKENS, "token_cap")
    assert "1,000 tokens" in error.sentence
    assert "RESEARCH_MAX_TOKENS" in error.sentence
    # Two of the first attempt, two of the second: after the fourth the limit was passed.
    assert (spent_by(run).steps, spent_by(run).tokens) == (4, 1_200)
    # Another attempt does not begin anew.
    assert reached(run).cap is Cap.TOKENS
    assert spent_by(run).steps == 4


def test_steps_are_counted_over_all_attempts(run: WorkflowRun, provider: FakeProvider, settings: Settings) -> None:
    settings.RESEARCH_MAX_STEPS = 4
    provider.research = scripted(LOOK, LOOK, ModelHTTPError(429, "gpt"))
    with pytest.raises(AIError):
        research(run.lead, run=run)
    provider.research = scripted(LOOK)
    assert reached(run).cap is Cap.STEPS
    assert spent_by(run).steps == 4
    # Whoever raises the limit can resume the run.
    settings.RESEARCH_MAX_STEPS = 20
    provider.research = scripted("They make gears.")
    assert research(run.lead, run=run).text == "They make gears."


def test_an_unknown_price_counts_with_an_upper_bound(
    run: WorkflowRun, provider: FakeProvider, settings: Settings
) -> None:
    settings.RESEARCH_MAX_COST = Decimal("0.01")
    provider.research = scripted(LOOK, tokens=1_000)
    error = reached(run)
    assert error.cap is Cap.COST
    assert "$0.01 (the cost of one request is not known" in error.sentence
    step = AgentStep.objects.filter(run=run, kind="model").get()
    # 900 tokens at $10 and 100 at $50 per million.
    assert (step.counted_cost, step.is_upper_bound) == (Decimal("0.014"), True)


def test_a_known_price_counts_exactly(
    run: WorkflowRun, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = list_pricing("openai", "gpt-4o-mini")
    monkeypatch.setattr("leadagent.leads.research.journal.get_pricing", lambda *_, **__: listed)
    provider.research = scripted("Done.", tokens=1_000)
    research(run.lead, run=run)
    # $0.15 and $0.60 per million: 900 in, 100 out.
    assert spent_by(run).cost == Decimal("0.000195")
    assert spent_by(run).unpriced == 0


def test_near_a_limit_the_tools_are_put_away_and_the_report_is_written(
    run: WorkflowRun, provider: FakeProvider, settings: Settings
) -> None:
    settings.RESEARCH_MAX_TOKENS = 1_000
    provider.research = scripted(LOOK, LOOK, "What I have: gears.", tokens=400)
    assert research(run.lead, run=run).text == "What I have: gears."
    assert provider.offered_tools[0] != []
    assert provider.offered_tools[-1] == []
    assert "no look-ups left" in provider.instructions[-1]
    assert "no look-ups left" not in provider.instructions[0]


def test_one_answer_cannot_ask_for_any_number_of_look_ups(run: WorkflowRun, provider: FakeProvider) -> None:
    provider.research = scripted([LOOK] * 100, "Done.")
    research(run.lead, run=run)
    assert AgentStep.objects.filter(run=run, kind="tool").count() == MOST_LOOKUPS


def test_a_request_that_was_cut_off_keeps_counting(run: WorkflowRun, provider: FakeProvider) -> None:
    # What a worker leaves behind that is killed while it waits for the model.
    model = provider.get_model_for_tenant(run.organization, "chat", operation="research")
    Journal(run, cast("TenantModel", model)).asking(prompt_bytes=1_000)
    assert AgentStep.objects.get(run=run).state == AgentStepState.RUNNING
    assert spent_by(run).steps == 1
    held = spent_by(run).tokens
    assert held > 0

    provider.research = scripted("Done.", tokens=100)
    research(run.lead, run=run)
    first, second = AgentStep.objects.filter(run=run)
    assert (first.state, first.attempt, second.state, second.attempt) == ("lost", 1, "done", 2)
    assert spent_by(run).tokens == held + 100
