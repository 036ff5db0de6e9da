"""Handing an approved email to the mail server: once.

Of any number of workers one hands the mail over. What happened to a mail whose worker died
in between cannot be known, so it is never sent again by itself: it is shown, and a person
decides.
"""

import logging
from datetime import timedelta
from email.utils import formataddr, parseaddr
from smtplib import SMTPException, SMTPServerDisconnected
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from leadagent.leads.models import DraftStatus, EmailDraft, LeadStatus, RunStatus
from leadagent.leads.run_state import lock_run, set_lead, set_run
from leadagent.leads.text import one_line

logger = logging.getLogger(__name__)

UNHEARD_AFTER = timedelta(seconds=20)
LOST_AFTER = timedelta(minutes=5)
UNKNOWN = (
    "The connection ended while this email was handed over, so we cannot tell whether it went out. "
    "Ask the recipient or look in the mail server's log before you send it again."
)


def send_draft(draft_id: UUID) -> bool:
    """Hand an approved email to the mail server; True when it was sent by this call.

    Of any number of callers one sends. A refusal by the mail server is stored with its
    reason, for a person to try again.
    """
    started = timezone.now()
    mine = EmailDraft.objects.filter(pk=draft_id, status=DraftStatus.SENDING, send_started_at=None)
    if not mine.update(send_started_at=started):
        return False
    draft = EmailDraft.objects.select_related("run__lead__organization", "approved_by").get(pk=draft_id)
    try:
        message_for(draft).send()
    except (SMTPException, OSError, ValueError, ValidationError) as error:
        logger.warning("Email %s was not sent: %s", draft_id, type(error).__name__)
        _record_send_failure(draft, _reason(error))
        return False
    _record_sent(draft)
    return True


def message_for(draft: EmailDraft) -> EmailMessage:
    """The mail as it goes out: from the organisation by our address, replies to the person who approved.

    Raises `ValidationError` where the lead's address is not one address.
    """
    lead = draft.run.lead
    validate_email(lead.email)
    sender = one_line(lead.organization.name, limit=80)
    return EmailMessage(
        subject=draft.subject,
        body=draft.body,
        from_email=formataddr((sender, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[lead.email],
        reply_to=[draft.approved_by.email] if draft.approved_by else None,
        headers={"Message-ID": draft.message_id},
    )


def take_unsent_drafts(*, limit: int = 100) -> list[UUID]:
    """Ids of approved emails that no worker has begun to send; those begun and lost are marked so."""
    now = timezone.now()
    sending = EmailDraft.objects.filter(status=DraftStatus.SENDING)
    for draft in sending.filter(send_started_at__lt=now - LOST_AFTER)[:limit]:
        _record_send_failure(draft, UNKNOWN)
    waiting = sending.filter(send_started_at=None, approved_at__lt=now - UNHEARD_AFTER)
    return list(waiting.order_by("approved_at").values_list("pk", flat=True)[:limit])


def _record_sent(draft: EmailDraft) -> None:
    now = timezone.now()
    with transaction.atomic():
        run = lock_run(draft.run_id)
        EmailDraft.objects.filter(pk=draft.pk).update(status=DraftStatus.SENT, sent_at=now, error_sentence="")
        if run is not None:
            set_run(run, RunStatus.DONE, now)
            set_lead(run.lead, LeadStatus.ANSWERED)


def _record_send_failure(draft: EmailDraft, sentence: str) -> None:
    held = EmailDraft.objects.filter(pk=draft.pk, status=DraftStatus.SENDING, send_started_at=draft.send_started_at)
    with transaction.atomic():
        run = lock_run(draft.run_id)
        if held.update(status=DraftStatus.SEND_FAILED, error_sentence=sentence, version=F("version") + 1) and run:
            set_lead(run.lead, LeadStatus.ATTENTION)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | SMTPServerDisconnected):
        return UNKNOWN
    said = one_line(str(error), limit=200)
    return f"The mail server did not take this email ({type(error).__name__}: {said}). Send it again, or ask an admin."
