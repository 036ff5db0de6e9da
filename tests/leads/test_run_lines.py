"""Every line that a run's work writes names the run: on the worker's thread, the event loop and its threads."""

import asyncio
import logging

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo

from leadagent.leads import tasks
from leadagent.leads.running import event_loop
from leadagent.telemetry.context import current_request_id, fresh_context
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, run_for
from tests.telemetry.conftest import Lines, lines

__all__ = ["lines"]

logger = logging.getLogger("work")


@pytest.mark.django_db
def test_each_line_of_a_step_names_run_step_and_organisation(provider: FakeProvider, lines: Lines) -> None:
    run = run_for(LeadFactory())

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        # pydantic-ai calls a function that stands in for a model on a thread of its own.
        logger.info("the model is asked")
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("search_knowledge_base", {"query": "gears"})])
        return ModelResponse(parts=[TextPart("They make gears.")])

    provider.research = answer
    with fresh_context(request_id="edge-0123456789"):
        tasks.advance_run(str(run.pk))

    asked = lines("the model is asked")
    assert len(asked) == 2
    assert {
        (line["run_id"], line["step"], line["attempt"], line["organization"], line["request_id"]) for line in asked
    } == {(str(run.pk), "research", "1", run.organization.slug, "edge-0123456789")}


def test_ids_follow_into_the_loop_its_threads_and_the_waiting_thread(lines: Lines) -> None:

    async def work() -> None:
        logger.info("on the loop")
        await asyncio.to_thread(logger.info, "on a thread of the loop")
        await event_loop.on_calling_thread(logger.info, "on the waiting thread")

    with fresh_context(run_id="0193"):
        event_loop.run(work(), timeout=5)
    with fresh_context(run_id="0194"):
        event_loop.run(work(), timeout=5)
    event_loop.run(work(), timeout=5)

    assert [line.get("run_id") for line in lines()] == ["0193"] * 3 + ["0194"] * 3 + [None] * 3
    assert current_request_id() == ""
