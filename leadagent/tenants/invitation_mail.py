"""The email that carries an invitation's link."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from leadagent.tenants.models import Invitation, Role

logger = logging.getLogger(__name__)


def send_invitation(invitation: Invitation, token: str) -> None:
    """Email the link and note the time in `sent_at`, which stays empty when the mail server refuses.

    Never raises for a failed delivery: the invitation is saved by now and can be sent again.
    """
    organization, inviter = invitation.organization, invitation.invited_by
    context = {
        "organization": organization,
        "inviter": inviter,
        "role": Role(invitation.role).label.lower(),
        "email": invitation.email,
        "expires_at": invitation.expires_at,
        "link": settings.PUBLIC_URL + reverse("tenants:invitation", args=[token]),
    }
    # Names from before the rule against line breaks must not reach a header either.
    subject = " ".join(f"Join {organization.name} on Lead Agent".split())
    message = EmailMultiAlternatives(
        subject=subject, body=render_to_string("tenants/email/invitation.txt", context), to=[invitation.email]
    )
    message.attach_alternative(render_to_string("tenants/email/invitation.html", context), "text/html")
    try:
        message.send()
    except (OSError, SMTPException) as error:
        logger.warning("Invitation %s was not sent: %s", invitation.pk, type(error).__name__)
        return
    invitation.sent_at = timezone.now()
    # By primary key: the invitation may have been accepted or withdrawn meanwhile.
    Invitation.objects.filter(pk=invitation.pk, token_hash=invitation.token_hash).update(sent_at=invitation.sent_at)
