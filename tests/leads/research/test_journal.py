"""What an agent's step counts with, where an answer states what cannot be."""

from decimal import Decimal

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo
from pydantic_ai.usage import RequestUsage

from leadagent.leads.models import WorkflowRun
from leadagent.leads.research import research
from leadagent.leads.research.caps import spent_by
from tests.leads.conftest import FakeProvider

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [2**31, 10**30, 10**110])
def test_more_tokens_than_can_be_count_as_what_was_held(count: int, run: WorkflowRun, provider: FakeProvider) -> None:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart("They make gears.")], usage=RequestUsage(input_tokens=count))

    provider.research = model
    research(run.lead, run=run)
    [step] = run.agent_steps.all()
    assert step.is_upper_bound
    assert 8_192 < step.counted_tokens < 50_000
    assert (spent_by(run).tokens, spent_by(run).cost) == (step.counted_tokens, step.counted_cost)


@pytest.mark.parametrize("cost", [10**9, float("inf"), -1.0])
def test_a_cost_that_cannot_be_is_none(cost: float, run: WorkflowRun, provider: FakeProvider) -> None:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=1_000, output_tokens=100)
        return ModelResponse(parts=[TextPart("They make gears.")], usage=usage, provider_details={"cost": cost})

    provider.research = model
    research(run.lead, run=run)
    [step] = run.agent_steps.all()
    assert step.counted_tokens == 1_100
    assert 0 < step.counted_cost < Decimal(1)


def test_a_tool_without_a_name_is_written_down_as_what_it_is(run: WorkflowRun, provider: FakeProvider) -> None:
    nameless = ToolCallPart(None, {"company_or_domain": "gears"})  # type: ignore[arg-type]
    answers: list[ModelResponsePart] = [nameless, TextPart("They make gears.")]

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[answers.pop(0)], usage=RequestUsage(input_tokens=10, output_tokens=1))

    provider.research = model
    research(run.lead, run=run)
    assert run.agent_steps.order_by("pk")[0].answer == "Calls None"
