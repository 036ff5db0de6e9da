"""The reply to a lead: what a model is asked for, what it wrote, and its place under review."""

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Self

from django.conf import settings

from byok.calls.platform_fallback import Fallback
from leadagent.leads.emails.revisions import add_revision
from leadagent.leads.emails.voice import voice_of, with_signature
from leadagent.leads.models import (
    Category,
    DraftStatus,
    EmailDraft,
    Lead,
    Qualification,
    RevisionKind,
    StepName,
    WorkflowRun,
    found_by_research,
)
from leadagent.leads.prompts.versions import instructions_for
from leadagent.leads.research.citations import without_citations
from leadagent.leads.text import clean, one_line

SUBJECT_LIMIT = 200
BODY_LIMIT = 20_000

PURPOSES = {
    Category.QUALIFIED: "The lead is qualified: show that we understood what they need and propose a first call.",
    Category.UNQUALIFIED: "The lead is not a fit: thank them, say kindly that we cannot help, and do not sell.",
    Category.SUPPORT: "The lead needs support: say that the request has reached us and ask for what is missing.",
    Category.FOLLOW_UP: "It is not clear yet whether the lead is a fit: ask the two or three questions that decide it.",
}


@dataclass(frozen=True, slots=True)
class Email:
    """A reply as the model wrote it, cleaned: the subject is one line, and nothing cites the report, which stays here.

    `model`: the one that wrote it, if known.
    """

    subject: str
    body: str
    model: str = ""

    @classmethod
    def cleaned(cls, subject: str, body: str, *, model: str = "") -> Self:
        """From what a model answered."""
        subject, body = without_citations(subject), without_citations(clean(body))
        return cls(one_line(subject, limit=SUBJECT_LIMIT), body.strip()[:BODY_LIMIT], model)


def write_email(
    lead: Lead, research: str, qualification: Qualification, *, run: WorkflowRun, fallback: Fallback | None = None
) -> Email:
    """Write the reply to a lead with the organisation's chat model. Raises `AIError`."""
    from leadagent.leads.running import agents

    used: list[str] = []
    written = agents.ask(
        agents.Reply,
        organization=run.organization,
        operation="email_generation",
        lead=lead,
        run=run,
        fallback=fallback,
        instructions=instructions_for(
            run.organization, "email_generation", run=run, purpose=PURPOSES[qualification.category]
        ),
        prompt=agents.lead_prompt(lead, report=research, qualification=qualification),
        used=used,
    )
    return Email.cleaned(written.subject, written.body, model=used[-1] if used else "")


def create_draft(run: WorkflowRun, email: Email) -> EmailDraft:
    """Store the model's reply, with the signature below it, for review or for comparison only.

    The caller holds the run's lock.
    """
    body = with_signature(email.body, voice_of(run.organization))
    draft = EmailDraft(
        run=run,
        status=DraftStatus.COMPARED if run.is_comparison else DraftStatus.DRAFT,
        subject=email.subject,
        body=body,
        original_subject=email.subject,
        original_body=body,
    )
    draft.message_id = f"<{draft.pk}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2]}>"
    draft.save(force_insert=True)
    prompt = run.steps.filter(name=StepName.EMAIL_GENERATION).values_list("prompt_version", flat=True).first()
    add_revision(
        draft,
        RevisionKind.WRITTEN,
        subject=email.subject,
        body=body,
        model=email.model,
        prompt_version=prompt or "",
    )
    return draft


def report_of(run: WorkflowRun) -> str:
    """The research report of a run; empty where there is none. One query."""
    return str(found_by_research(run.steps.all()).get("report", ""))
