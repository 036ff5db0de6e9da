"""What people decide about a reply: to save an edit, approve it, take that back, discard it.

Whoever decides must have seen the newest version of the draft; the other side is told, and
nothing of either text is lost. Sending is in `sending`.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.emails.revisions import add_revision
from leadagent.leads.emails.writing import SUBJECT_LIMIT
from leadagent.leads.models import (
    DraftStatus,
    EmailDraft,
    LeadStatus,
    RevisionKind,
    RewriteStatus,
    RunStatus,
    WorkflowRun,
)
from leadagent.leads.running.run_state import lock_run, set_lead, set_run
from leadagent.leads.text import clean, one_line
from leadagent.tenants import audit
from leadagent.tenants.models import User

# Nobody has begun to send these.
WAITING = (DraftStatus.DRAFT, DraftStatus.SCHEDULED, DraftStatus.SEND_FAILED)


class DraftConflict(Exception):
    """Someone else changed or decided on the draft first. `current` is what it is now."""

    def __init__(self, current: EmailDraft) -> None:
        super().__init__("The draft was changed in the meantime.")
        self.current = current


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
