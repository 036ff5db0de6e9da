"""allauth's hooks that we fill: see `ACCOUNT_ADAPTER` in the settings."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from django.contrib import messages
from django.http import HttpRequest

logger = logging.getLogger(__name__)

_SENT = "account/messages/email_confirmation_sent.txt"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """allauth's behaviour, except that a mail server which is away is no crash."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of allauth's emails; where that fails, say so on the next page.

        The account is saved by then, and every page that waits for an email offers to
        send it again. The message is the same whether the address has an account or not.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            logger.warning("Email %s was not sent: %s", template_prefix, type(error).__name__)
            request = allauth_context.request
            request.account_mail_failed = True
            messages.error(request, "We could not send the email just now. Try again in a few minutes.")

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **options: Any
    ) -> None:
        """Add one of allauth's messages, except "sent" for what was not."""
        if message_template == _SENT and getattr(request, "account_mail_failed", False):
            return
        super().add_message(request, level, message_template, *args, **options)
