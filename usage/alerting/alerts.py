"""Telling an organisation, once per month and matter, what `usage.alerting.rules` finds: by email, Slack and webhook.

The row comes first and is unique; its deliveries are made with it. Each delivery is claimed,
handed over, and tried again later where the channel did not take it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from leadagent.tenants.models import Organization
from usage.alerting.channels import channels_of, deliver
from usage.alerting.delivering import attempt
from usage.alerting.rules import Finding, findings
from usage.models import AlertChannel, AlertDelivery, AlertSent, DeliveryState
from usage.utc_days import first_of_month

logger = logging.getLogger(__name__)


def send_due_alerts(organization_ids: Iterable[int] | None = None) -> int:
    """Raise what is due and deliver what waits; returns how many deliveries went out. Safe to run twice, side by side.

    `organization_ids`: look at these only, for whoever knows who moved.
    """
    for finding in findings(organization_ids):
        _raise(finding)
    return deliver_waiting()


def raise_alert(
    organization: Organization,
    *,
    kind: str,
    key: str,
    title: str,
    text: str,
    threshold: Decimal | None = None,
    cost: Decimal | None = None,
    without: Iterable[AlertChannel] = (),
) -> AlertSent | None:
    """Note an alert with its deliveries, once per organisation, UTC month and `key`; None where it was noted before.

    `without`: channels on which it is told by somebody else. Nothing is sent here: see `deliver_waiting`.
    """
    channels = [channel for channel in channels_of(organization) if channel not in set(without)]
    with transaction.atomic():
        alert, is_new = AlertSent.objects.get_or_create(
            organization=organization,
            month=first_of_month(),
            key=key[:120],
            defaults={"kind": kind, "title": title[:200], "text": text, "threshold": threshold, "cost": cost},
        )
        if not is_new:
            return None
        AlertDelivery.objects.bulk_create(AlertDelivery(alert=alert, channel=channel) for channel in channels)
    return alert


def tell_channels(organization: Organization, *, kind: str, key: str, title: str, text: str) -> None:
    """Note an alert for Slack and the webhook, where the organisation has them: somebody else sends the mails."""
    if channels_of(organization) != [AlertChannel.EMAIL]:
        raise_alert(organization, kind=kind, key=key, title=title, text=text, without=[AlertChannel.EMAIL])


def deliver_waiting(limit: int = 200) -> int:
    """Hand over what waits and is due for a try; returns how many channels took theirs."""
    now = timezone.now()
    due = AlertDelivery.objects.filter(state=DeliveryState.WAITING, next_try_at__lte=now).order_by("next_try_at")
    return sum(_try(delivery) for delivery in due.select_related("alert__organization")[:limit])


def deliver_now(alert: AlertSent) -> None:
    """Try one alert's waiting deliveries at once, for a person who waits."""
    for delivery in alert.deliveries.filter(state=DeliveryState.WAITING).select_related("alert__organization"):
        _try(delivery)


def _raise(finding: Finding) -> None:
    told = AlertSent.objects.filter(
        organization=finding.organization, month=first_of_month(), key__startswith=f"{finding.series}:"
    ).values_list("key", flat=True)
    if any(int(key.rpartition(":")[2]) >= finding.level for key in told):
        return
    raise_alert(
        finding.organization,
        kind=finding.kind,
        key=finding.key,
        title=finding.title,
        text=finding.text,
        threshold=finding.threshold,
        cost=finding.cost,
    )


def _try(delivery: AlertDelivery) -> bool:
    if not attempt(delivery, lambda: deliver(delivery)):
        return False
    AlertSent.objects.filter(pk=delivery.alert_id, sent_at=None).update(sent_at=delivery.sent_at)
    return True
