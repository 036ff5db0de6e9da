"""An approved email as it goes out: its headers, and its text in lines that any mail program shows well.

There is no HTML part: it would say the same, weigh more, and look like an advertisement.
Nothing says that a machine sent it (`Auto-Submitted`), because a person did.
"""

from __future__ import annotations

from email import charset
from email.message import Message
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.message import SafeMIMEText
from django.core.validators import validate_email

from leadagent.leads.emails.flowed import flowed
from leadagent.leads.emails.voice import sender_name, voice_of
from leadagent.leads.models import DraftStatus, EmailDraft

# How far back a thread is named: a header is no place for a history.
_MOST_REFERENCES = 20
_QUOTED_PRINTABLE = charset.Charset("utf-8")
_QUOTED_PRINTABLE.body_encoding = charset.QP


class FlowedMessage(EmailMessage):
    """Plain text in format=flowed, quoted-printable: seven bits and short lines, whatever the way there."""

    def _create_message(self, msg: Message) -> Message:
        # The text part that Django made is replaced before it gets its headers.
        part = SafeMIMEText(flowed(str(self.body)), "plain", _QUOTED_PRINTABLE)  # type: ignore[arg-type]  # as Django itself does
        part.encoding = "utf-8"
        part.set_param("format", "flowed")
        part.set_param("delsp", "no")
        return super()._create_message(part)  # type: ignore[misc,no-any-return]  # not in the stubs


def message_for(draft: EmailDraft) -> EmailMessage:
    """The mail: from the organisation by our address, answers to the voice's address or the person who approved.

    It stands in the thread of the mails that were sent to this lead before. Raises `ValidationError`
    where the lead's address is not one address. Two queries.
    """
    lead = draft.run.lead
    validate_email(lead.email)
    voice = voice_of(lead.organization)
    answers_to = voice.reply_to or (draft.approved_by.email if draft.approved_by else "")
    headers = {"Message-ID": draft.message_id}
    if earlier := _earlier_messages(draft):
        headers |= {"In-Reply-To": earlier[-1], "References": " ".join(earlier)}
    return FlowedMessage(
        subject=draft.subject,
        body=draft.body,
        from_email=formataddr((sender_name(voice), parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[lead.email],
        reply_to=[answers_to] if answers_to else None,
        headers=headers,
    )


def _earlier_messages(draft: EmailDraft) -> list[str]:
    """Message-IDs of the mails that this lead was sent before, oldest first."""
    sent = EmailDraft.objects.filter(run__lead_id=draft.run.lead_id, status=DraftStatus.SENT)
    newest = sent.exclude(pk=draft.pk).order_by("-sent_at").values_list("message_id", flat=True)[:_MOST_REFERENCES]
    return list(newest)[::-1]
