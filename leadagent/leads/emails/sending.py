"""Handing an approved email to the mail server: once.

Of any number of workers one hands the mail over. What happened to a mail whose worker died
in between cannot be known, so it is never sent again by itself: it is shown, and a person
decides. What the server put off is tried again by itself, later and later.
"""

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from leadagent.leads.emails.message import message_for
from leadagent.leads.emails.refusals import Meaning, Refusal, refusal_of
from leadagent.leads.models import (
    DeliveryKind,
    DeliveryReport,
    DraftStatus,
    EmailDraft,
    LeadEvent,
    LeadStatus,
    RunStatus,
)
from leadagent.leads.outcomes.events import note_outcome
from leadagent.leads.running.run_state import lock_run, set_lead, set_run
from leadagent.leads.work_queue import UNHEARD_AFTER

logger = logging.getLogger(__name__)

LOST_AFTER = timedelta(minutes=5)
# After a server has put a mail off. Then a person decides.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180))
UNKNOWN = (
    "The connection ended while this email was handed over, so we cannot tell whether it went out. "
    "Ask the recipient or look in the mail server's log before you send it again."
)


def send_draft(draft_id: UUID) -> bool:
    """Hand an approved email to the mail server; True when it was sent by this call.

    Of any number of callers one sends. A refusal by the mail server is stored with its
    reason: for a person to try again, or for the sweep where the server only asked to wait.
    """
    started = timezone.now()
    mine = EmailDraft.objects.filter(pk=draft_id, status=DraftStatus.SENDING, send_started_at=None)
    if not mine.update(send_started_at=started, send_attempts=F("send_attempts") + 1):
        return False
    draft = EmailDraft.objects.select_related("run__lead__organization", "approved_by").get(pk=draft_id)
    refusal = _hand_over(draft)
    if refusal is None:
        _record_sent(draft)
        return True
    logger.warning("Email %s was not sent: %s", draft_id, refusal.meaning)
    _record_refusal(draft, refusal)
    return False


def take_unsent_drafts(*, limit: int = 100) -> list[UUID]:
    """Ids of approved emails that no worker has begun to send; those begun and lost are marked so.

    Scheduled emails whose time has come are among them: from then on they are being sent.
    """
    now = timezone.now()
    sending = EmailDraft.objects.filter(status=DraftStatus.SENDING)
    for draft in sending.filter(send_started_at__lt=now - LOST_AFTER)[:limit]:
        _record_failure(draft, UNKNOWN)
    due = EmailDraft.objects.filter(status=DraftStatus.SCHEDULED, scheduled_for__lte=now)
    ids = list(due.order_by("scheduled_for").values_list("pk", flat=True)[:limit])
    # Whoever takes one back at this moment has it, or this has: the row's state decides.
    due.filter(pk__in=ids).update(status=DraftStatus.SENDING, send_started_at=None)
    unheard = Q(approved_at__lt=now - UNHEARD_AFTER) | Q(scheduled_for__isnull=False)
    waiting = sending.filter(unheard, send_started_at=None)
    return list(waiting.order_by("approved_at").values_list("pk", flat=True)[:limit])


def _hand_over(draft: EmailDraft) -> Refusal | None:
    """None once the server has taken the mail."""
    try:
        message: EmailMessage = message_for(draft)
        message.message()
    except (ValueError, ValidationError) as error:
        said = error.messages[0] if isinstance(error, ValidationError) else str(error)
        return refusal_of(ValueError(said), handed_over=False)
    connection = message.connection = get_connection()
    try:
        connection.open()
    except (SMTPException, OSError) as error:
        return refusal_of(error, handed_over=False)
    try:
        message.send()
    except (SMTPException, OSError, ValueError) as error:
        return refusal_of(error, handed_over=True)
    finally:
        _close(connection)
    return None


def _close(connection: object) -> None:
    """What goes wrong while leaving says nothing about the mail."""
    try:
        connection.close()  # type: ignore[attr-defined]  # every mail backend has it
    except (SMTPException, OSError):
        logger.info("The mail server did not take leave")


def _record_sent(draft: EmailDraft) -> None:
    now = timezone.now()
    with transaction.atomic():
        run = lock_run(draft.run_id)
        EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENT, sent_at=now, error_sentence="")
        if run is not None:
            set_run(run, RunStatus.DONE, now)
            set_lead(run.lead, LeadStatus.ANSWERED)
            note_outcome(run.lead, LeadEvent.ANSWERED, key=draft.pk)


def _record_refusal(draft: EmailDraft, refusal: Refusal) -> None:
    with transaction.atomic():
        DeliveryReport.objects.create(
            draft=draft,
            kind=DeliveryKind.REFUSED,
            code=refusal.code,
            status=refusal.status,
            text=refusal.text,
            is_permanent=refusal.meaning == Meaning.FOR_GOOD,
            recipient=draft.run.lead.email[:254],
        )
        if refusal.meaning == Meaning.UNKNOWN:
            _record_failure(draft, UNKNOWN)
        elif refusal.meaning == Meaning.FOR_NOW and draft.send_attempts <= len(PAUSES):
            _put_off(draft, refusal, timezone.now() + PAUSES[draft.send_attempts - 1])
        else:
            tries = f" after {draft.send_attempts} attempts" if draft.send_attempts > 1 else ""
            said = f"The mail server did not take this email{tries} ({refusal.words}). Send it again, or ask an admin."
            _record_failure(draft, said)


def _put_off(draft: EmailDraft, refusal: Refusal, until: datetime) -> None:
    sentence = (
        f"The mail server could not take it yet ({refusal.words}). "
        f"It is tried again by itself, attempt {draft.send_attempts + 1} of {len(PAUSES) + 1}."
    )
    _held(draft).update(
        status=DraftStatus.SCHEDULED, scheduled_for=until, send_started_at=None, error_sentence=sentence
    )


def _record_failure(draft: EmailDraft, sentence: str) -> None:
    with transaction.atomic():
        run = lock_run(draft.run_id)
        failed = _held(draft).update(
            status=DraftStatus.SEND_FAILED, error_sentence=sentence, scheduled_for=None, version=F("version") + 1
        )
        if failed and run:
            set_lead(run.lead, LeadStatus.ATTENTION)


def _held(draft: EmailDraft) -> QuerySet[EmailDraft]:
    return EmailDraft.objects.filter(pk=draft.pk, status=DraftStatus.SENDING, send_started_at=draft.send_started_at)
