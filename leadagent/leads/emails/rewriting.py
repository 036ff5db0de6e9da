"""Having a draft written anew as a person says: one AI call, booked on email_generation.

Asked for by a page, made by a worker, stored once. A text that a person has saved meanwhile
is never replaced: the new one is kept beside it. State is in PostgreSQL; a worker that died
is found by the sweep.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from byok.calls.platform_fallback import Fallback, OnPlatform, own_key_first
from byok.errors import AIError
from leadagent.leads.emails.deciding import change_text
from leadagent.leads.emails.revisions import add_revision
from leadagent.leads.emails.voice import voice_of, with_signature
from leadagent.leads.emails.writing import PURPOSES, Email, report_of
from leadagent.leads.models import (
    DraftRewrite,
    EmailDraft,
    RevisionKind,
    RewriteStatus,
    RunStatus,
    StepName,
)
from leadagent.leads.prompts.versions import prompt_in_force, written_out
from leadagent.leads.running import event_loop
from leadagent.leads.running.run_state import lock_run, note_platform_use
from leadagent.leads.text import clean
from leadagent.leads.work_queue import is_free, is_time, pause_of, take_unheard
from leadagent.tenants import audit
from leadagent.tenants.models import User

logger = logging.getLogger(__name__)

INSTRUCTION_LIMIT = 1_000
MAX_ATTEMPTS = 3
HEARTBEAT_SECONDS = 5.0
# Heard of every few seconds while it works.
LOST_AFTER = timedelta(seconds=60)

_REWRITE = """\
The email in the tag is a draft of yours that a person at {organization} has read. Write it anew as they ask, and keep
what they do not mention. They ask: {instruction}"""
_BROKEN = "Lead Agent itself failed at this; the operator's log says more. Your text is as you left it."
_LOST = "The worker stopped while the email was rewritten. Your text is as you left it; ask again."


class RewriteConflict(Exception):
    """A rewrite of this draft is under way already."""


@dataclass(frozen=True, slots=True)
class _Written:
    email: Email
    prompt_version: str


def ask_for_rewrite(
    draft: EmailDraft,
    instruction: str,
    *,
    subject: str,
    body: str,
    by: User,
    version: int,
    request: HttpRequest | None = None,
) -> DraftRewrite:
    """Keep the text on the person's screen, then ask for it to be rewritten.

    Raises `DraftConflict` where `version` is not the newest, `RewriteConflict` while another is under way.
    """
    instruction = clean(instruction)[:INSTRUCTION_LIMIT]
    with transaction.atomic():
        run = change_text(draft, version, subject=subject, body=body, by=by, request=request)
        if draft.rewrites.filter(status=RewriteStatus.WAITING).exists():
            raise RewriteConflict
        asked = DraftRewrite.objects.create(
            draft=draft,
            instruction=instruction,
            base_version=EmailDraft.objects.get(pk=draft.pk).version,
            requested_by=by,
        )
        audit.record(
            "email.rewrite_asked",
            organization=run.lead.organization,
            actor=by,
            target=f"email {draft.pk}",
            after={"instruction": instruction},
            request=request,
        )
    return asked


def cancel_rewrite(draft: EmailDraft) -> bool:
    """Give a rewrite up; the worker notices at its next heartbeat. False where none was under way."""
    waiting = draft.rewrites.filter(status=RewriteStatus.WAITING)
    return bool(waiting.update(status=RewriteStatus.CANCELLED, finished_at=timezone.now()))


def newest_rewrite(draft: EmailDraft) -> DraftRewrite | None:
    """The rewrite that was asked for last; None before the first and once the draft has been changed since."""
    rewrite = draft.rewrites.select_related("revision", "requested_by").order_by("-created_at", "-pk").first()
    if rewrite is None or rewrite.status == RewriteStatus.WAITING:
        return rewrite
    # A failure, or a text kept aside, is told until somebody goes on with the draft.
    newest = draft.revisions.order_by("-number").first()
    is_news = newest is None or rewrite.finished_at is None or newest.created_at <= rewrite.finished_at
    return rewrite if is_news else None


def perform_rewrite(rewrite_id: UUID) -> timedelta | None:
    """Make the call and store what came of it; the pause until it is tried again, or None when it is decided.

    Of any number of callers one makes the call. A failure is stored with its sentence.
    """
    now = timezone.now()
    if (
        not _due()
        .filter(pk=rewrite_id)
        .update(claimed_at=now, heard_at=now, attempts=F("attempts") + 1, next_attempt_at=None)
    ):
        return None
    rewrite = DraftRewrite.objects.select_related("draft__run__organization", "draft__run__lead").get(pk=rewrite_id)
    run = rewrite.draft.run
    if rewrite.attempts > MAX_ATTEMPTS:
        _fail(rewrite, "worker_lost", _LOST)
        return None
    try:
        with event_loop.heartbeat(partial(_still_wanted, rewrite), every=HEARTBEAT_SECONDS):
            granted = rewrite.platform_granted or StepName.EMAIL_GENERATION in run.platform_grant
            written, fallback = own_key_first(
                run.organization, StepName.EMAIL_GENERATION, partial(_write, rewrite), granted=granted
            )
        _store(rewrite, written, fallback)
    except event_loop.HeartbeatStopped:
        logger.info("Rewrite %s is no longer wanted; its result is dropped", rewrite.pk)
    except AIError as error:
        return _record_failure(rewrite, error)
    except (OperationalError, InterfaceError):
        # Nothing can be stored now: the sweep finds it.
        raise
    except Exception:
        logger.exception("Rewrite %s broke", rewrite.pk)
        _fail(rewrite, "internal_error", _BROKEN)
    return None


def take_due_rewrites(*, limit: int = 50) -> list[UUID]:
    """Ids of rewrites that wait and whose nudge seems lost; they count as nudged from now on."""
    return take_unheard(_due(), limit=limit)


def _due() -> QuerySet[DraftRewrite]:
    now = timezone.now()
    free = is_free(now, lost_after=LOST_AFTER, renewed="heard_at")
    return DraftRewrite.objects.filter(free, is_time(now), status=RewriteStatus.WAITING)


def _write(rewrite: DraftRewrite, fallback: Fallback | None) -> _Written:
    from leadagent.leads.running import agents

    draft, run = rewrite.draft, rewrite.draft.run
    verdict = run.qualification
    purpose = PURPOSES[verdict.category] if verdict is not None else ""
    prompt = prompt_in_force(run.organization, StepName.EMAIL_GENERATION)
    asks = _REWRITE.format(organization=run.organization.name, instruction=rewrite.instruction)
    used: list[str] = []
    reply = agents.ask(
        agents.Reply,
        organization=run.organization,
        operation="email_generation",
        lead=run.lead,
        run=run,
        fallback=fallback,
        instructions=f"{written_out(run.organization, prompt.operation, prompt.text, purpose=purpose)}\n{asks}",
        prompt=agents.lead_prompt(run.lead, report=report_of(run), qualification=verdict)
        + agents.current_email(draft.subject, draft.body),
        used=used,
    )
    return _Written(Email.cleaned(reply.subject, reply.body, model=used[-1] if used else ""), prompt.label)


def _store(rewrite: DraftRewrite, written: _Written, fallback: Fallback | None) -> None:
    """Put the new text in force, or beside one that was saved meanwhile; in the history in either case."""
    now, email = timezone.now(), written.email
    with transaction.atomic():
        run = lock_run(rewrite.draft.run_id)
        held = _held(rewrite).select_for_update()
        if run is None or not held.exists():
            return
        draft = EmailDraft.objects.get(pk=rewrite.draft_id)
        body = with_signature(email.body, voice_of(run.lead.organization))
        revision = add_revision(
            draft,
            RevisionKind.REGENERATED,
            subject=email.subject,
            body=body,
            author=rewrite.requested_by,
            instruction=rewrite.instruction,
            model=email.model,
            prompt_version=written.prompt_version,
        )
        fits = draft.is_editable and draft.version == rewrite.base_version and run.status == RunStatus.AWAITING_REVIEW
        if fits:
            EmailDraft.objects.filter(pk=draft.pk).update(
                subject=email.subject,
                body=body,
                edited_by=rewrite.requested_by,
                edited_at=now,
                version=F("version") + 1,
            )
        on_platform = fallback if isinstance(fallback, OnPlatform) else None
        if on_platform is not None:
            note_platform_use(run, StepName.EMAIL_GENERATION, on_platform.error.code, now)
        held.update(
            status=RewriteStatus.DONE,
            revision=revision,
            kept_aside=not fits,
            platform_reason=on_platform.reason if on_platform else "",
            error_code="",
            error_sentence="",
            # Not before its own text was stored: what came of it is told until a later text is there.
            finished_at=timezone.now(),
        )


def _still_wanted(rewrite: DraftRewrite) -> bool:
    """A database that is away for a moment does not stop a call that is paid for: storing it checks the claim."""
    try:
        return bool(_held(rewrite).update(heard_at=timezone.now()))
    except (OperationalError, InterfaceError):
        connection.close_if_unusable_or_obsolete()
        return True


def _record_failure(rewrite: DraftRewrite, error: AIError) -> timedelta | None:
    if error.permanent or rewrite.attempts >= MAX_ATTEMPTS:
        _fail(rewrite, error.code, error.sentence)
        return None
    pause = pause_of(4.0**rewrite.attempts, error.retry_after)
    _held(rewrite).update(
        claimed_at=None,
        next_attempt_at=timezone.now() + pause,
        error_code=error.code,
        error_sentence=error.sentence,
    )
    return pause


def _fail(rewrite: DraftRewrite, code: str, sentence: str) -> None:
    _held(rewrite).update(
        status=RewriteStatus.FAILED, error_code=code, error_sentence=sentence, finished_at=timezone.now()
    )


def _held(rewrite: DraftRewrite) -> QuerySet[DraftRewrite]:
    """The rewrite, while this worker's claim holds."""
    return DraftRewrite.objects.filter(pk=rewrite.pk, status=RewriteStatus.WAITING, claimed_at=rewrite.claimed_at)
