"""The verdict on a lead, as a type: category, reason, confidence, and the passages that speak for it."""

from byok.calls.platform_fallback import Fallback
from leadagent.leads.models import Category, Lead, Qualification, WorkflowRun
from leadagent.leads.prompts.versions import instructions_for
from leadagent.leads.research.citations import without_citations
from leadagent.leads.running.reasons import Evidence
from leadagent.leads.text import clean


def qualify(lead: Lead, research: str, *, run: WorkflowRun, fallback: Fallback | None = None) -> Qualification:
    """Qualify `lead` on its own text and the research report. Raises `AIError`.

    A verdict whose quotes stand in neither is given back to the model once. What is not found then is kept as such.
    """
    from leadagent.leads.running import agents

    evidence = Evidence(research, lead.message)
    verdict = agents.ask(
        agents.Verdict,
        organization=run.organization,
        operation="qualification",
        lead=lead,
        run=run,
        fallback=fallback,
        instructions=instructions_for(run.organization, "qualification", run=run),
        prompt=agents.lead_prompt(lead, report=research),
        complaint=lambda given: evidence.complaint(given.reasons),
    )
    reason = without_citations(clean(verdict.reason))[:2000]
    return Qualification(Category(verdict.category), reason, verdict.confidence, evidence.checked(verdict.reasons))
