"""The research agent of one lead: which tools it holds, how long it may work, and the report that comes of it.

The organisation, the lead and what may be opened are closed over and never named by the model.
Lead text and tool answers are data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from byok import resolver
from byok.calls.platform_fallback import Fallback
from leadagent.leads.models import Lead, WorkflowRun
from leadagent.leads.prompts.versions import instructions_for
from leadagent.leads.research import caps
from leadagent.leads.research.citations import check_citations
from leadagent.leads.research.crm import crm_search as search_crm
from leadagent.leads.research.domains import company_domain
from leadagent.leads.research.journal import Journal
from leadagent.leads.research.knowledge import query_knowledge_base as search_knowledge
from leadagent.leads.research.links import Links
from leadagent.leads.research.search import configured
from leadagent.leads.research.sources import Sources
from leadagent.leads.research.tech_stack import tech_stack_analysis as analyse_tech_stack
from leadagent.leads.research.web_pages import fetch_url as read_url
from leadagent.leads.research.web_search import web_search
from leadagent.leads.running import event_loop
from leadagent.leads.text import clean, one_line
from leadagent.tenants.models import Organization

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage

    from byok.resolver import TenantModel

REPORT_LIMIT = 40_000
# Longer than a page may take; a parser that hangs on one does not hold up the run.
TOOL_SECONDS = 45.0
FINISH = "There are no look-ups left. Write the report now, with what you have read."
NO_SEARCH = "The web was not searched: no search service is set up here."


@dataclass(frozen=True, slots=True)
class Report:
    """The agent's report, the tools it called (`tool`, `arguments`, `answer`, shortened), and what it has read.

    `sources` are `sources.Source` as dictionaries, `cited` the numbers of those that the text cites; what it
    cited without having read it was taken out and is counted in `dropped_citations`. `gaps` are sentences on what
    could not be looked at.
    """

    text: str
    tool_calls: list[dict[str, str]]
    requests: int
    # Why the platform's AI searched the knowledge base in place of the own key; empty where it did not.
    searched_on_platform: str = ""
    sources: tuple[dict[str, Any], ...] = ()
    cited: tuple[int, ...] = ()
    dropped_citations: int = 0
    gaps: tuple[str, ...] = ()


def research(lead: Lead, *, run: WorkflowRun, fallback: Fallback | None = None) -> Report:
    """Research `lead` with the organisation's chat model, within the run's limits. Raises `AIError`, `CapReached`.

    With `fallback` the platform's chat model does it; the knowledge base has a consent of its own.
    """
    from pydantic_ai.usage import UsageLimits

    from leadagent.leads.running import agents

    model = resolver.get_model_for_tenant(
        run.organization, "chat", operation="research", lead=lead.pk, run=run.pk, fallback=fallback
    )
    taken_over: list[str] = []
    sources = Sources()
    sources.add("lead", f"Message of {lead.name}", ref=str(lead.pk))
    agent = create_research_agent(run.organization, lead, run, model=model, sources=sources, taken_over=taken_over)
    # The run's own limits count over all attempts; those of pydantic-ai begin anew with each.
    unlimited = UsageLimits(request_limit=None)
    result = agents.wait_for(agent.run(agents.lead_prompt(lead), usage_limits=unlimited), provider=model.provider)
    found = sources.all()
    cited = check_citations(clean(result.output)[:REPORT_LIMIT], {source.number for source in found})
    return Report(
        text=cited.text,
        tool_calls=tool_calls(result.all_messages()),
        requests=result.usage.requests,
        searched_on_platform=taken_over[0] if taken_over else "",
        sources=tuple(asdict(source) for source in found),
        cited=tuple(cited.numbers),
        dropped_citations=cited.dropped,
        gaps=() if configured() else (NO_SEARCH,),
    )


def create_research_agent(
    organization: Organization,
    lead: Lead,
    run: WorkflowRun,
    *,
    model: TenantModel,
    sources: Sources | None = None,
    taken_over: list[str] | None = None,
) -> Agent[object, str]:
    """The agent for one lead, on `model`; it keeps a journal of this attempt.

    `sources` collects what it reads, `taken_over` why the platform's AI searched the knowledge
    base in place of the own key. Raises `CapReached` where earlier attempts left nothing.
    """
    from pydantic_ai import Agent

    from leadagent.leads.research.watching import Watching

    read = sources if sources is not None else Sources()
    links = Links(company_domain(lead.email_domain), message=lead.message)
    limits = caps.caps()
    journal = Journal(run, model)
    watching = Watching(journal, limits, provider=model.provider)
    agent = Agent(
        model.model(),
        instructions=instructions_for(organization, "research", run=run),
        name="research",
        retries=2,
        tool_timeout=TOOL_SECONDS,
        capabilities=[watching],
    )
    agent.instructions(lambda: FINISH if watching.has_to_finish else None)
    for tool in _tools(run, lead, links, read, taken_over):
        agent.tool_plain(tool)
    return agent


_Tool = Callable[..., Awaitable[str]]


def _tools(run: WorkflowRun, lead: Lead, links: Links, read: Sources, taken_over: list[str] | None) -> list[_Tool]:
    """What the agent may look into. Their names, signatures and docstrings are what the model is told about them."""
    organization, provider = run.organization, configured()

    async def crm_search(company_or_domain: str) -> str:
        """Find other leads of the same company in the CRM.

        Args:
            company_or_domain: A company's name, or the domain of its web site or email addresses.
        """
        return await event_loop.on_calling_thread(search_crm, organization, lead, company_or_domain, read)

    async def query_knowledge_base(question: str) -> str:
        """Search what the organisation has written down about its own products, prices and customers.

        Args:
            question: What you want to know, in a few words.
        """
        return await event_loop.on_calling_thread(search_knowledge, run, question, read, taken_over)

    async def fetch_url(url: str) -> str:
        """Read a page of the lead's own web site, or one that a search has found.

        Args:
            url: The page's address, exactly as it was found.
        """
        return await asyncio.to_thread(read_url, url, read, links)

    async def tech_stack_analysis() -> str:
        """See what the lead's own web site and email run on: home page, headers and DNS."""
        return await asyncio.to_thread(analyse_tech_stack, read, links)

    async def search(query: str) -> str:
        """Search the web.

        Args:
            query: What to search for, in a few words.
        """
        assert provider is not None
        return await asyncio.to_thread(web_search, provider, query, read, links)

    has_site, has_search = links.domain is not None, provider is not None
    offered: dict[_Tool, bool] = {
        crm_search: True,
        # Also where none can be searched yet: the tool answers why, and the report says so.
        query_knowledge_base: organization.documents.exists(),
        tech_stack_analysis: has_site,
        search: has_search,
        fetch_url: has_site or has_search,
    }
    return [tool for tool, is_offered in offered.items() if is_offered]


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
