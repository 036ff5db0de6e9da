"""Research: an agent that looks at what the organisation already knows, and writes a report.

Its tools only read, and only this organisation's rows: the organisation is closed over and
never named by the model. Lead text and tool answers are data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from byok import resolver
from byok.errors import AIError
from byok.fallback import Fallback
from leadagent.leads import event_loop
from leadagent.leads.knowledge import find_passages
from leadagent.leads.models import Lead, WorkflowRun
from leadagent.leads.prompts import instructions_for
from leadagent.leads.text import clean, one_line
from leadagent.tenants.models import Organization

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage

    from byok.resolver import TenantModel

MAX_STEPS = 20
MAX_TOKENS = 200_000
REPORT_LIMIT = 40_000
# Everybody has an address there: sharing one says nothing about the company.
MAIL_HOSTS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "yahoo.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "proton.me",
        "protonmail.com",
        "mail.com",
        "qq.com",
        "163.com",
    ]
)


@dataclass(frozen=True, slots=True)
class Report:
    """The agent's report and the tools it called on the way: `tool`, `arguments`, `answer` (shortened)."""

    text: str
    tool_calls: list[dict[str, str]]
    requests: int
    # Why the platform's AI searched the knowledge base in place of the own key; empty where it did not.
    searched_on_platform: str = ""


def research(lead: Lead, *, run: WorkflowRun, fallback: Fallback | None = None) -> Report:
    """Research `lead` with the organisation's chat model, in at most 20 steps. Raises `AIError`.

    With `fallback` the platform's chat model does it; the knowledge base has a consent of its own.
    """
    from pydantic_ai.usage import UsageLimits

    from leadagent.leads import agents

    model = resolver.get_model_for_tenant(
        run.organization, "chat", operation="research", lead=lead.pk, run=run.pk, fallback=fallback
    )
    taken_over: list[str] = []
    agent = create_research_agent(run.organization, lead, run, model=model, taken_over=taken_over)
    limits = UsageLimits(request_limit=MAX_STEPS, total_tokens_limit=MAX_TOKENS)
    result = agents.wait_for(agent.run(agents.lead_prompt(lead), usage_limits=limits), provider=model.provider)
    return Report(
        text=clean(result.output)[:REPORT_LIMIT],
        tool_calls=tool_calls(result.all_messages()),
        requests=result.usage.requests,
        searched_on_platform=taken_over[0] if taken_over else "",
    )


def create_research_agent(
    organization: Organization,
    lead: Lead,
    run: WorkflowRun,
    *,
    model: TenantModel,
    taken_over: list[str] | None = None,
) -> Agent[object, str]:
    """The agent for one lead, on `model`.

    `taken_over` collects why the platform's AI searched the knowledge base in place of the own key.
    """
    from pydantic_ai import Agent

    agent = Agent(
        model.model(),
        instructions=instructions_for(organization, "research", run=run),
        name="research",
        retries=2,
    )

    async def crm_search(company_or_domain: str) -> str:
        """Find other leads of the same company in the CRM.

        Args:
            company_or_domain: A company's name, or the domain of its web site or email addresses.
        """
        return await event_loop.on_calling_thread(_crm_search, organization, lead, company_or_domain)

    async def query_knowledge_base(question: str) -> str:
        """Search what the organisation has written down about its own products, prices and customers.

        Args:
            question: What you want to know, in a few words.
        """
        return await event_loop.on_calling_thread(_query_knowledge, organization, lead, run, question, taken_over)

    agent.tool_plain(crm_search)
    # Also where none can be searched yet: the tool answers why, and the report says so.
    if organization.documents.exists():
        agent.tool_plain(query_knowledge_base)
    return agent


def _crm_search(organization: Organization, lead: Lead, asked: str) -> str:
    asked = one_line(asked, limit=100)
    if not asked:
        return "Name a company or a domain."
    by_name = Q(company__icontains=asked)
    by_domain = Q(email__iendswith=f"@{asked}") if "." in asked and asked.lower() not in MAIL_HOSTS else Q(pk=None)
    others = organization.leads.exclude(pk=lead.pk).filter(by_name | by_domain).newest_first()[:10]
    found = [
        {
            "name": other.name,
            "company": other.company,
            "email": other.email,
            "date": f"{other.created_at:%Y-%m-%d}",
            "status": other.status,
            "category": other.category or None,
            "message": other.message[:400],
        }
        for other in others
    ]
    return json.dumps(found, ensure_ascii=False) if found else f"No other lead matches {asked!r}."


def _query_knowledge(
    organization: Organization, lead: Lead, run: WorkflowRun, question: str, taken_over: list[str] | None
) -> str:
    try:
        found = find_passages(organization, question, lead=lead, run=run)
    except AIError as error:
        # The rest of the research is worth having; the report says what is missing.
        return f"The knowledge base was not searchable: {error.sentence} Say so in the report."
    if found.taken_over and taken_over is not None:
        taken_over.append(found.taken_over)
    note = f"\n{found.note} Say so in the report." if found.note else ""
    if not found.passages:
        return f"Nothing about this in the knowledge base.{note}"
    passages = [{"source": p.cited_as, "similarity": round(p.similarity, 2), "text": p.content} for p in found.passages]
    return json.dumps(passages, ensure_ascii=False) + note


def tool_calls(messages: list[ModelMessage]) -> list[dict[str, str]]:
    """The tools called in a conversation, in order, each with the beginning of its answer."""
    from pydantic_ai.messages import ToolCallPart, ToolReturnPart

    parts: list[Any] = [part for message in messages for part in message.parts]
    answers = {part.tool_call_id: str(part.content) for part in parts if isinstance(part, ToolReturnPart)}
    return [
        {
            "tool": part.tool_name,
            "arguments": one_line(part.args_as_json_str(), limit=300),
            "answer": one_line(answers.get(part.tool_call_id, ""), limit=500),
        }
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
