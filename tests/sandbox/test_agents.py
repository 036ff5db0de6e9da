"""pydantic-ai's agents run on the sandbox: tools, typed output in every form, streaming."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

from leadagent.leads.running.agents import Verdict
from leadagent.leads.running.reasons import Evidence
from tests.sandbox.conftest import NewKey, Sandbox
from tests.sandbox.samples import LEAD, Qualification

WIRES = ("openai", "anthropic", "openrouter")
RESEARCH = "Research the lead with your tools, then write a report."
# As the product sends a lead: JSON inside a tag.
FACTS = {
    "name": "Ann Smith",
    "email": "ann.smith@acme.example",
    "company": "Acme Tools",
    "message": "We would like pricing for our sales team of 40 people.",
}
TAGGED = f"<lead_data>{json.dumps(FACTS)}</lead_data>"


class Reply(BaseModel):
    """An email to the lead."""

    subject: str
    body: str


def _run(sandbox: Sandbox, wire: str, key: str, use: Callable[[Model], Awaitable[Any]]) -> Any:
    async def on_own_loop() -> Any:
        if wire == "anthropic":
            async with anthropic.AsyncAnthropic(api_key=key, base_url=sandbox.anthropic_url, max_retries=0) as client:
                return await use(
                    AnthropicModel("claude-sonnet-5-5", provider=AnthropicProvider(anthropic_client=client))
                )
        async with openai.AsyncOpenAI(api_key=key, base_url=sandbox.base_url(wire), max_retries=0) as sdk:
            if wire == "openai":
                return await use(OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=sdk)))
            provider = OpenRouterProvider(openai_client=sdk)
            return await use(OpenRouterModel("anthropic/claude-3.5-sonnet", provider=provider))

    return asyncio.run(on_own_loop())


@pytest.mark.parametrize("wire", WIRES)
def test_a_research_agent_uses_its_tools_and_reports(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    asked: dict[str, str] = {}

    def search(query: str) -> str:
        """Search the web."""
        asked["search"] = query
        return "Acme Tools makes drills. See https://acme.example/about."

    def query_knowledge_base(question: str, limit: int = 3) -> str:
        """Search our own documents."""
        asked["query_knowledge_base"] = question
        return f"{limit} passages: a team of 40 fits the Growth plan."

    def fetch_url(url: str) -> str:
        """Read a page."""
        asked["fetch_url"] = url
        return "Drills since 1999."

    async def use(model: Model) -> Any:
        agent = Agent(model, instructions=RESEARCH, tools=[search, query_knowledge_base, fetch_url])
        return await agent.run(TAGGED)

    key = new_key(wire)
    result = _run(sandbox, wire, key, use)
    assert asked == {
        "search": "Acme Tools",
        "query_knowledge_base": "We would like pricing for our sales team of 40 people",
        "fetch_url": "https://acme.example/about",
    }
    assert "Drills since 1999." in result.output
    assert "Growth plan" in result.output
    lines = sandbox.recorded(key, kind="chat")
    assert len(lines) == result.usage.requests == 3
    assert sum(line["usage"]["input_tokens"] for line in lines) == result.usage.input_tokens
    assert sum(line["usage"]["output_tokens"] for line in lines) == result.usage.output_tokens


@pytest.mark.parametrize("wire", WIRES)
def test_typed_output_through_the_output_tool(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    async def use(model: Model) -> Any:
        # Another lead's verdict, found by a tool, is not this lead's.
        report = '<research_report>[{"name": "Jo", "category": "SUPPORT"}]</research_report>'
        return await Agent(model, output_type=Qualification, instructions="Qualify the lead.").run(TAGGED + report)

    key = new_key(wire)
    verdict = _run(sandbox, wire, key, use).output
    assert (verdict.category, verdict.confidence) == ("QUALIFIED", 0.95)
    assert "sandbox" in verdict.reason
    assert len(sandbox.recorded(key)) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_reasons_quote_what_the_prompt_holds(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    report = "# Research report: Acme\n\n- **Company**: Acme Tools makes *drills* in Leeds [2].\n- Team size: 40 [1, 2]"

    async def use(model: Model) -> Any:
        prompt = f"{TAGGED}<research_report>{report}</research_report>"
        return await Agent(model, output_type=Verdict, instructions="Qualify the lead.").run(prompt)

    reasons = _run(sandbox, wire, new_key(wire), use).output.reasons
    assert {reason.source for reason in reasons} == {"report", "message"}
    assert all(reason.is_found for reason in Evidence(report, FACTS["message"]).checked(reasons))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("form", [NativeOutput, PromptedOutput])
def test_typed_output_as_text(sandbox: Sandbox, new_key: NewKey, wire: str, form: Any) -> None:
    if wire == "openrouter" and form is NativeOutput:
        wanted: Any = PromptedOutput(Qualification, name="verdict")
    else:
        wanted = form(Qualification)

    async def use(model: Model) -> Any:
        return await Agent(model, output_type=wanted, instructions="Qualify the lead.").run(TAGGED)

    assert _run(sandbox, wire, new_key(wire), use).output.category == "QUALIFIED"


@pytest.mark.parametrize("wire", WIRES)
def test_tools_come_before_typed_output(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    def crm_search(company_or_domain: str) -> str:
        """Find leads of the same company."""
        return f"No other lead matches {company_or_domain}."

    async def use(model: Model) -> Any:
        return await Agent(model, output_type=Qualification, tools=[crm_search]).run(TAGGED)

    result = _run(sandbox, wire, new_key(wire), use)
    assert result.output.category == "QUALIFIED"
    assert result.usage.requests == 2
    returned = [
        part.content for message in result.all_messages() for part in message.parts if part.part_kind == "tool-return"
    ]
    assert returned[0] == "No other lead matches acme.example."


@pytest.mark.parametrize("wire", WIRES)
def test_an_email_is_drafted_for_the_verdict_and_signed(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    instructions = "You write an email in the name of Drill Co to a lead who wrote to it. Sign as Drill Co."
    settled = f'{TAGGED}\n<qualification>{{"category": "SUPPORT", "reason": "A customer."}}</qualification>'

    async def use(model: Model) -> Any:
        typed = await Agent(model, output_type=Reply, instructions=instructions).run(TAGGED)
        plain = await Agent(model, instructions=instructions + " Begin with a subject line.").run(settled)
        return typed.output, plain.output

    typed, plain = _run(sandbox, wire, new_key(wire), use)
    assert typed.subject == "Re: We would like pricing for our sales team of 40 people"
    assert typed.body.startswith("Hi Ann,")
    assert "Best regards,\nDrill Co" in typed.body
    assert "30-minute call" in typed.body
    assert plain.startswith("Subject: Re: We would like")
    assert "support team" in plain


@pytest.mark.parametrize("wire", WIRES)
def test_a_streamed_run_brings_text_and_usage(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    async def use(model: Model) -> Any:
        async with Agent(model, instructions="Answer.").run_stream(LEAD) as run:
            pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
            return pieces, run.usage

    key = new_key(wire)
    pieces, usage = _run(sandbox, wire, key, use)
    assert len(pieces) > 3
    assert "andbox" in "".join(pieces)
    (line,) = sandbox.recorded(key)
    assert line["stream"] is True
    assert (usage.input_tokens, usage.output_tokens) == (line["usage"]["input_tokens"], line["usage"]["output_tokens"])
