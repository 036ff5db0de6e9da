"""A lead's run against aimock: what it is answered in each step, and what a worker does with it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from leadagent.leads.models import Step, StepStatus, WorkflowRun
from leadagent.leads.running.leases import claim_step
from leadagent.leads.running.steps import perform_step
from tests.wire.answers import Fixture, calls, says, usage

# What only the prompts of a step hold, in the order in which they have to be looked for.
EMAIL = {"userMessage": "<qualification>"}
VERDICT = {"userMessage": "<research_report>"}
RESEARCH: dict[str, Any] = {"userMessage": "<lead_data>"}
AFTER_A_TOOL = RESEARCH | {"hasToolResult": True}


def whole_workflow(provider: str) -> list[Fixture]:
    """Answers for a lead: research in three turns with tools, a verdict, an email. The first that fits counts."""
    typed = called if provider == "openai" else written
    lookups = [
        ("crm_search", {"company_or_domain": "gears.example"}),
        ("query_knowledge_base", {"question": "What do licences cost?"}),
    ]
    verdict = {
        "category": "QUALIFIED",
        "reason": "They name a number and ask for a price.",
        "confidence": 0.93,
        "reasons": [{"statement": "They name a number.", "quote": "wants 400 licences", "source": "report"}],
    }
    reply = {"subject": "400 licences for Gears Ltd", "body": "Dear Ann,\n\nlet us talk this week."}
    page = [("fetch_url", {"url": "http://169.254.169.254/latest/"})]
    report = "Gears Ltd makes gears and wants 400 licences."
    return [
        typed(reply, name="email-1", told=usage(2100, 310, cost=0.0041), when=EMAIL),
        typed(verdict, name="verdict-1", told=usage(1700, 90, cost=0.0022), when=VERDICT),
        says(report, name="research-3", told=usage(1500, 120, cost=0.0021), when=RESEARCH | {"toolCallId": "fetch"}),
        with_ids(["fetch"], calls(page, name="research-2", told=usage(900, 30, cost=0.0011), when=AFTER_A_TOOL)),
        with_ids(
            ["crm", "knowledge"], calls(lookups, name="research-1", told=usage(600, 45, cost=0.0008), when=RESEARCH)
        ),
    ]


def called(answer: Mapping[str, Any], **more: Any) -> Fixture:
    """A typed answer as the arguments of the tool that pydantic-ai offers for it."""
    return calls([("final_result", answer)], **more)


def written(answer: Mapping[str, Any], **more: Any) -> Fixture:
    """A typed answer as text, where the model takes a schema for it: pydantic-ai asks Claude models so."""
    return says(json.dumps(answer), **more)


def with_ids(ids: Iterable[str], fixture: Fixture) -> Fixture:
    """The answer with these ids at its calls of tools, by which the next request is known again."""
    for call, name in zip(fixture["response"]["toolCalls"], ids, strict=True):
        call["id"] = name
    return fixture


def perform_all(run: WorkflowRun) -> None:
    """What a worker does until the run wants no more or has to wait."""
    while claim := claim_step(run.pk):
        perform_step(claim)
    run.refresh_from_db()


def let_time_pass() -> None:
    """Every pause before another attempt is over."""
    Step.objects.filter(status=StepStatus.PENDING).update(next_attempt_at=None)
