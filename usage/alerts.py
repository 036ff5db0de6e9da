"""Telling an organisation, once, that a month's cost has passed the threshold it set."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from leadagent.tenants.models import Organization
from usage.analytics import current_month, get_total_cost_by_period
from usage.models import AlertSent, CostAlert

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CostAlertChoice:
    """What an organisation chose. `monthly_threshold` is in US dollars; None while no sum is set."""

    enabled: bool = False
    monthly_threshold: Decimal | None = None
    email: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values for the audit log and the API; the sum as text, so that nothing is rounded."""
        threshold = self.monthly_threshold
        return {
            "enabled": self.enabled,
            "monthly_threshold": None if threshold is None else str(threshold),
            "email": self.email,
        }


def cost_alert_of(organization: Organization) -> CostAlertChoice:
    """The stored choice; off where none is stored."""
    row = CostAlert.objects.filter(organization=organization).first()
    return CostAlertChoice(row.enabled, row.monthly_threshold, row.email) if row else CostAlertChoice()


def save_cost_alert(organization: Organization, choice: CostAlertChoice) -> None:
    """Store the choice. The caller has validated it: an enabled alert has a sum and an address."""
    values = {"enabled": choice.enabled, "monthly_threshold": choice.monthly_threshold, "email": choice.email}
    CostAlert.objects.update_or_create(organization=organization, defaults=values)


def send_due_alerts() -> int:
    """Send what is due this UTC month; returns how many mails went out. Safe to run twice and side by side.

    The row comes first and is unique per organisation, month and threshold. Whoever holds its lock
    sends; a mail that the server did not take is tried again by the next round.
    """
    start, end = current_month()
    sent = 0
    due = CostAlert.objects.filter(enabled=True, monthly_threshold__isnull=False).exclude(email="")
    for alert in due.select_related("organization"):
        threshold = alert.monthly_threshold
        assert threshold is not None
        cost = get_total_cost_by_period(alert.organization, start, end).cost
        if cost is None or cost < threshold:
            continue
        AlertSent.objects.get_or_create(
            organization=alert.organization, month=start, threshold=threshold, defaults={"cost": cost}
        )
        with transaction.atomic():
            rows = AlertSent.objects.select_for_update(skip_locked=True, of=("self",))
            row = rows.filter(organization=alert.organization, month=start, threshold=threshold, sent_at=None).first()
            if row is None or not _mail(alert, row):
                continue
            row.sent_at = timezone.now()
            row.save(update_fields=["sent_at"])
            sent += 1
    return sent


def _mail(alert: CostAlert, row: AlertSent) -> bool:
    context = {
        "organization": alert.organization,
        "row": row,
        "usage_url": settings.PUBLIC_URL + reverse("usage:dashboard", args=[alert.organization.slug]),
    }
    subject = f"AI cost of {alert.organization.name} passed ${row.threshold} this month"
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=render_to_string("usage/email/cost_alert.txt", context),
        to=[alert.email],
        # The same for every try: a mail server that took it twice shows it once.
        headers={"Message-ID": f"<cost-alert-{row.pk}@{settings.PUBLIC_URL.partition('://')[2].partition('/')[0]}>"},
    )
    mail.attach_alternative(render_to_string("usage/email/cost_alert.html", context), "text/html")
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        logger.warning("cost alert %s was not sent: %s", row.pk, type(error).__name__)
        return False
    return True
