"""The reply: written by the model, read and decided on by a person, sent once.

Whoever edits, approves or discards a draft must have seen its newest version; the other
side is told, and nothing of either text is lost. Sending is in `sending`.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Self

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from byok.calls.platform_fallback import Fallback
from leadagent.leads.emails.revisions import add_revision
from leadagent.leads.emails.voice import voice_of, with_signature
from leadagent.leads.models import (
    Category,
    DraftStatus,
    EmailDraft,
    Lead,
    LeadStatus,
    Qualification,
    RevisionKind,
    RewriteStatus,
    RunStatus,
    StepName,
    WorkflowRun,
)
from leadagent.leads.prompts.versions import instructions_for
from leadagent.leads.research.citations import without_citations
from leadagent.leads.running.run_state import lock_run, set_lead, set_run
from leadagent.leads.text import clean, one_line
from leadagent.tenants import audit
from leadagent.tenants.models import User

SUBJECT_LIMIT = 200
BODY_LIMIT = 20_000
# Nobody has begun to send these.
WAITING = (DraftStatus.DRAFT, DraftStatus.SCHEDULED, DraftStatus.SEND_FAILED)


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


class DraftConflict(Exception):
    """Someone else changed or decided on the draft first. `current` is what it is now."""

    def __init__(self, current: EmailDraft) -> None:
        super().__init__("The draft was changed in the meantime.")
        self.current = current


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
    """The research report of a run; empty where there is none."""
    step = run.steps.filter(name=StepName.RESEARCH).first()
    return str(((step.result if step is not None else None) or {}).get("report", ""))


def edit_draft(
    draft: EmailDraft, *, subject: str, body: str, by: User, version: int, request: HttpRequest | None = None
) -> EmailDraft:
    """Save an edit made on top of `version`. Raises `DraftConflict` when that is no longer the newest."""
    with transaction.atomic():
        change_text(draft, version, subject=subject, body=body, by=by, request=request)
    return EmailDraft.objects.get(pk=draft.pk)


def restore_revision(
    draft: EmailDraft, number: int, *, by: User, version: int, request: HttpRequest | None = None
) -> EmailDraft:
    """Make an earlier text the draft again, as an edit made on top of `version`.

    Raises `DraftConflict`, and `DraftRevision.DoesNotExist`.
    """
    earlier = draft.revisions.get(number=number)
    with transaction.atomic():
        change_text(
            draft,
            version,
            subject=earlier.subject,
            body=earlier.body,
            by=by,
            restored_from=earlier.number,
            request=request,
        )
    return EmailDraft.objects.get(pk=draft.pk)


def approve_draft(
    draft: EmailDraft,
    *,
    subject: str,
    body: str,
    by: User,
    version: int,
    send_at: datetime | None = None,
    request: HttpRequest | None = None,
) -> EmailDraft:
    """Approve exactly the text that was on the person's screen; it is then ready for `send_draft`, or is at `send_at`.

    Raises `DraftConflict`.
    """
    now = timezone.now()
    with transaction.atomic():
        run, changed = _change(draft, version, subject=subject, body=body, by=by)
        drop_rewrite(draft)
        EmailDraft.objects.filter(pk=draft.pk).update(
            status=DraftStatus.SENDING if send_at is None else DraftStatus.SCHEDULED,
            scheduled_for=send_at,
            send_attempts=0,
            approved_by=by,
            approved_at=now,
            send_started_at=None,
            error_sentence="",
        )
        after: dict[str, Any] = {"changed": changed} if changed else {}
        if send_at is not None:
            after["send_at"] = send_at.isoformat()
        _record("email.approved" if send_at is None else "email.scheduled", run, draft, by=by, after=after or None,
                request=request)  # fmt: skip
    return EmailDraft.objects.get(pk=draft.pk)


def cancel_schedule(draft: EmailDraft, *, by: User, version: int, request: HttpRequest | None = None) -> EmailDraft:
    """Take back the approval of an email that waits for its time; it is a draft again. Raises `DraftConflict`."""
    with transaction.atomic():
        run = lock_run(draft.run_id)
        waiting = EmailDraft.objects.filter(pk=draft.pk, status=DraftStatus.SCHEDULED, version=version)
        taken_back = waiting.update(
            status=DraftStatus.DRAFT,
            scheduled_for=None,
            approved_by=None,
            approved_at=None,
            error_sentence="",
            version=F("version") + 1,
        )
        if run is None or not taken_back:
            raise DraftConflict(EmailDraft.objects.get(pk=draft.pk))
        _record("email.schedule_cancelled", run, draft, by=by, request=request)
    return EmailDraft.objects.get(pk=draft.pk)


def discard_draft(draft: EmailDraft, *, by: User, version: int, request: HttpRequest | None = None) -> EmailDraft:
    """Decide that nothing is sent; the run is done and the lead closed. Raises `DraftConflict`."""
    now = timezone.now()
    with transaction.atomic():
        run = lock_run(draft.run_id)
        drop_rewrite(draft)
        discarded = EmailDraft.objects.filter(pk=draft.pk, status__in=WAITING, version=version).update(
            status=DraftStatus.DISCARDED, version=F("version") + 1
        )
        if run is None or not discarded:
            raise DraftConflict(EmailDraft.objects.get(pk=draft.pk))
        set_run(run, RunStatus.DONE, now)
        set_lead(run.lead, LeadStatus.CLOSED)
        _record("email.discarded", run, draft, by=by, request=request)
    return EmailDraft.objects.get(pk=draft.pk)


def discard_superseded(run: WorkflowRun) -> bool:
    """Discard the draft of a run that makes room for a newer one; False while it is being sent."""
    EmailDraft.objects.filter(run=run, status__in=WAITING).update(
        status=DraftStatus.DISCARDED, version=F("version") + 1
    )
    return not EmailDraft.objects.filter(run=run, status=DraftStatus.SENDING).exists()


def change_text(
    draft: EmailDraft,
    version: int,
    *,
    subject: str,
    body: str,
    by: User,
    restored_from: int | None = None,
    request: HttpRequest | None = None,
) -> WorkflowRun:
    """Save the text inside the caller's transaction, and tell the audit log of an edit; the locked run.

    Raises `DraftConflict` when `version` is not the newest.
    """
    run, changed = _change(draft, version, subject=subject, body=body, by=by, restored_from=restored_from)
    if changed:
        after: dict[str, Any] = {"changed": changed}
        if restored_from is not None:
            after["restored"] = f"revision {restored_from}"
        _record("email.edited", run, draft, by=by, after=after, request=request)
    return run


def drop_rewrite(draft: EmailDraft) -> None:
    """Give up a rewrite that is under way: a person has decided about the text as it is."""
    waiting = draft.rewrites.filter(status=RewriteStatus.WAITING)
    waiting.update(status=RewriteStatus.CANCELLED, finished_at=timezone.now())


def _change(
    draft: EmailDraft, version: int, *, subject: str, body: str, by: User, restored_from: int | None = None
) -> tuple[WorkflowRun, list[str]]:
    """Save the text if `version` is still the newest; the locked run, and the names of the fields that changed.

    An unchanged text counts as a look, not an edit.
    """
    subject, body = one_line(subject, limit=SUBJECT_LIMIT), clean(body)
    run = lock_run(draft.run_id)
    current = EmailDraft.objects.get(pk=draft.pk)
    if run is None or not current.is_editable or current.version != version:
        raise DraftConflict(current)
    changed = [name for name, text in (("subject", subject), ("body", body)) if text != getattr(current, name)]
    if changed:
        EmailDraft.objects.filter(pk=draft.pk).update(
            subject=subject, body=body, edited_by=by, edited_at=timezone.now(), version=F("version") + 1
        )
        add_revision(draft, RevisionKind.EDITED, subject=subject, body=body, author=by, restored_from=restored_from)
    return run, changed


def _record(
    action: str,
    run: WorkflowRun,
    draft: EmailDraft,
    *,
    by: User,
    after: dict[str, Any] | None = None,
    request: HttpRequest | None,
) -> None:
    audit.record(
        action,
        organization=run.lead.organization,
        actor=by,
        target=f"email {draft.pk}",
        after=after,
        request=request,
    )
