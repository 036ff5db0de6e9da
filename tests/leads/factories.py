"""Rows for tests of leads: a lead, a run at some point of its way, a draft under review."""

# factory-boy's declarations carry no types.
# mypy: disable-error-code="no-untyped-call"

from typing import TYPE_CHECKING, Any

from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from leadagent.leads.emails.writing import Email
from leadagent.leads.models import (
    Category,
    Document,
    EmailDraft,
    Lead,
    LeadSource,
    Qualification,
    QuotedReason,
    StepName,
    WorkflowRun,
)
from leadagent.leads.running.leases import Claim, StepOutcome, claim_step, complete_step
from leadagent.leads.running.workflow import start_run
from tests.factories import Make, OrganizationFactory

OUTCOMES = {
    StepName.RESEARCH: StepOutcome({"report": "They make gears.", "tool_calls": [], "requests": 1}),
    StepName.QUALIFICATION: StepOutcome(
        {"category": "QUALIFIED", "reason": "They want to buy.", "confidence": 0.9},
        qualification=Qualification(
            Category.QUALIFIED,
            "They want to buy.",
            0.9,
            (
                QuotedReason("It is a maker of gears.", "They make gears", "report"),
                QuotedReason("They name a number.", "We need 400 licences", "message"),
                QuotedReason("They are in a hurry.", "by tomorrow noon"),
            ),
        ),
    ),
    StepName.EMAIL_GENERATION: StepOutcome(
        {"subject": "Your gears"}, email=Email(subject="Your gears", body="Dear Ann,\n\nshall we talk?")
    ),
}


class _LeadFactory(DjangoModelFactory[Lead]):
    class Meta:
        model = Lead

    organization = SubFactory(OrganizationFactory)
    name = Sequence(lambda n: f"Ann {n}")
    email = Sequence(lambda n: f"ann{n}@gears.example")
    company = "Gears Ltd"
    message = "We need 400 licences."
    source = LeadSource.FORM


class _DocumentFactory(DjangoModelFactory[Document]):
    class Meta:
        model = Document

    organization = SubFactory(OrganizationFactory)
    title = Sequence(lambda n: f"Document {n}")
    content = "Licences cost ten dollars a month."


if TYPE_CHECKING:
    LeadFactory: Make[Lead]
    DocumentFactory: Make[Document]
else:
    LeadFactory, DocumentFactory = _LeadFactory, _DocumentFactory


def claimed(run: WorkflowRun) -> Claim:
    """A claim on the run's next step, which must be free."""
    claim = claim_step(run.pk)
    assert claim is not None
    return claim


def run_for(lead: Lead, *, done: int = 0) -> WorkflowRun:
    """A run of the lead with its first `done` steps behind it."""
    run = start_run(lead)
    for _ in range(done):
        claim = claimed(run)
        complete_step(claim, OUTCOMES[claim.name])
    run.refresh_from_db()
    return run


def draft_under_review(**lead: Any) -> EmailDraft:
    """A draft that waits for approval, with its run and lead."""
    return EmailDraft.objects.select_related("run__lead").get(run=run_for(LeadFactory(**lead), done=3))
