"""How long the encryption secret is in use, and reminding the operators to change it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from byok.encryption import current_key_id
from byok.models import ROTATE_AFTER, SealingSecret
from leadagent.outgoing_mail import notice_mail
from leadagent.tenants.models import User

logger = logging.getLogger(__name__)

# After the first reminder.
REMIND_AGAIN_AFTER = timedelta(days=30)


def note_current_secret() -> SealingSecret:
    """The current secret's row, made where it is seen for the first time."""
    return SealingSecret.objects.get_or_create(key_id=current_key_id())[0]


def current_secret_since() -> datetime | None:
    """Since when the current secret is in use; None where it has not been seen yet. Writes nothing."""
    return SealingSecret.objects.filter(key_id=current_key_id()).values_list("first_used_at", flat=True).first()


def is_old(since: datetime) -> bool:
    """Whether a secret that is in use since then is to be changed."""
    return timezone.now() - since >= ROTATE_AFTER


def remind_operators() -> bool:
    """Tell the operators of a secret older than 90 days, every 30 days; whether a mail went out.

    Safe to run twice and side by side: whoever holds the secret's row sends. A mail that the
    server did not take is tried again by the next round, under the same Message-ID.
    """
    secret = note_current_secret()
    if not is_old(secret.first_used_at):
        return False
    days = (timezone.now() - secret.first_used_at).days
    logger.warning("the encryption secret %s is in use for %d days: rotate it", secret.key_id, days)
    with transaction.atomic():
        row = (
            SealingSecret.objects.select_for_update(skip_locked=True)
            .filter(Q(reminded_at=None) | Q(reminded_at__lte=timezone.now() - REMIND_AGAIN_AFTER), pk=secret.pk)
            .first()
        )
        if row is None or not _mail(row, days):
            return False
        row.reminded_at = timezone.now()
        row.save(update_fields=["reminded_at"])
    return True


def _mail(row: SealingSecret, days: int) -> bool:
    operators = list(
        User.objects.filter(is_active=True, is_superuser=True).order_by("pk").values_list("email", flat=True)
    )
    if not operators:
        logger.warning("nobody could be reminded of the encryption secret: there is no active superuser")
        return False
    context = {"row": row, "days": days, "installation": settings.PUBLIC_URL, "product": settings.PRODUCT_NAME}
    # Named by the reminder before it: the same for every try at this one.
    number = int(row.reminded_at.timestamp()) if row.reminded_at else 0
    mail = notice_mail(
        "byok/email/secret_age",
        context,
        subject=f"{settings.PRODUCT_NAME}: the encryption secret is {days} days old",
        to=operators,
        matter=f"secret-age-{row.key_id}-{number}",
    )
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        logger.warning("the reminder of the encryption secret was not sent: %s", type(error).__name__)
        return False
    return True
