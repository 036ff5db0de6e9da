"""The verdict on a lead, as a type: category, reason, confidence."""

from byok.fallback import Fallback
from leadagent.leads.models import Category, Lead, Qualification, WorkflowRun
from leadagent.leads.prompts.versions import instructions_for
from leadagent.leads.text import clean


def qualify(lead: Lead, research: str, *, run: WorkflowRun, fallback: Fallback | None = None) -> Qualification:
    """Qualify `lead` on its own text and the research report. Raises `AIError`."""
    from leadagent.leads.running import agents

    verdict = agents.ask(
        agents.Verdict,
        organization=run.organization,
        operation="qualification",
        lead=lead,
        run=run,
        fallback=fallback,
        instructions=instructions_for(run.organization, "qualification", run=run),
        prompt=agents.lead_prompt(lead, report=research),
    )
    return Qualification(Category(verdict.category), clean(verdict.reason)[:2000], verdict.confidence)
