"""An example of the organisation's emails, sent to the admin who asks: what the mail server makes of the voice."""

from __future__ import annotations

from email.utils import formataddr, make_msgid, parseaddr
from smtplib import SMTPException

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.validators import validate_email

from leadagent.leads.emails.message import FlowedMessage
from leadagent.leads.emails.refusals import refusal_of
from leadagent.leads.emails.voice import sender_name, voice_of, with_signature
from leadagent.tenants.models import Organization

_BODY = """\
This is how an email of {organization} arrives: who it comes from, where an answer goes, and how it ends.

Press “Reply” to see the address that answers go to. Nothing was sent to anybody else."""


def send_test_mail(organization: Organization, to: str) -> str:
    """Send the example to `to`; why that failed, in a sentence, or nothing where the server took it."""
    voice = voice_of(organization)
    our_address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    connection = get_connection()
    message = FlowedMessage(
        subject="How your emails arrive",
        body=with_signature(_BODY.format(organization=organization.name), voice),
        from_email=formataddr((sender_name(voice), our_address)),
        to=[to],
        reply_to=[voice.reply_to or to],
        headers={"Message-ID": make_msgid(domain=our_address.rpartition("@")[2])},
        connection=connection,
    )
    try:
        validate_email(to)
        message.send()
    except ValidationError:
        return "Your own address cannot be written to."
    except (SMTPException, OSError, ValueError) as error:
        said = refusal_of(error, handed_over=False).words
        return f"The mail server did not take it ({said}). Ask whoever runs this installation."
    return ""
