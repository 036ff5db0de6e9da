"""What a model would get for a lead, to the letter, without asking it."""

from __future__ import annotations

from dataclasses import dataclass

from leadagent.leads.emails.writing import PURPOSES, report_of
from leadagent.leads.models import Category, Lead, Qualification, StepName
from leadagent.leads.prompts.versions import written_out
from leadagent.tenants.models import Organization

_REPORT = "Gears Ltd makes gearboxes in Leeds. They ask for 400 licences from March. (Source: the lead's message.)"
_VERDICT = Qualification(Category.QUALIFIED, "They name a number of licences and a date.", 0.9)


@dataclass(frozen=True, slots=True)
class Preview:
    """The two parts of a request, and whose lead it is about."""

    instructions: str
    prompt: str
    about: str


def example_lead(organization: Organization) -> Lead:
    """A made-up lead, not stored."""
    return Lead(
        organization=organization,
        name="Ann Example",
        email="ann@gears.example",
        company="Gears Ltd",
        message="We need 400 licences from March. What do they cost, and can we talk next week?",
    )


def preview(organization: Organization, operation: StepName, text: str, lead: Lead | None) -> Preview:
    """What `operation` would send for `lead` (None: an example) with `text` as its prompt. Makes no call.

    A lead that has not got as far stands with the example's report and verdict.
    """
    from leadagent.leads.running import agents

    run = lead.runs.newest() if lead is not None else None
    report = (report_of(run) if run is not None else "") or _REPORT
    verdict = (run.qualification if run is not None else None) or _VERDICT
    shown = lead if lead is not None else example_lead(organization)
    return Preview(
        instructions=written_out(organization, operation, text, purpose=PURPOSES[verdict.category]),
        prompt=agents.lead_prompt(
            shown,
            report=None if operation == StepName.RESEARCH else report,
            qualification=verdict if operation == StepName.EMAIL_GENERATION else None,
        ),
        about=str(lead) if lead is not None else "an example",
    )
