"""Handing one alert to one channel. Each raises `NotDelivered` with a reason that names no secret."""

from __future__ import annotations

import json
from smtplib import SMTPException

from django.conf import settings
from django.urls import reverse

from leadagent.outgoing_mail import notice_mail
from leadagent.tenants.admins import active_admins
from leadagent.tenants.models import Organization
from usage.alerting.delivering import NotDelivered
from usage.alerting.sealing import SecretUnreadable, sealer
from usage.alerting.signed_posts import post_json, post_signed
from usage.models import AlertChannel, AlertDelivery, AlertSecret, AlertSent, AlertSettings, CostAlert


def channels_of(organization: Organization) -> list[AlertChannel]:
    """Where the organisation's alerts go. Without an address of its own, email goes to its admins."""
    sealed = set(AlertSecret.objects.filter(organization=organization).values_list("channel", flat=True))
    has_webhook = AlertChannel.WEBHOOK in sealed and _webhook_url(organization) != ""
    channels = [AlertChannel.EMAIL]
    channels += [AlertChannel.SLACK] if AlertChannel.SLACK in sealed else []
    return channels + ([AlertChannel.WEBHOOK] if has_webhook else [])


def deliver(delivery: AlertDelivery) -> None:
    """Hand it over once."""
    match AlertChannel(delivery.channel):
        case AlertChannel.EMAIL:
            _email(delivery)
        case AlertChannel.SLACK:
            _slack(delivery)
        case AlertChannel.WEBHOOK:
            _webhook(delivery)


def context_of(alert: AlertSent) -> dict[str, object]:
    """What the mail's templates read."""
    slug = alert.organization.slug
    return {
        "organization": alert.organization,
        "alert": alert,
        "usage_url": settings.PUBLIC_URL + reverse("usage:dashboard", args=[slug]),
        "settings_url": settings.PUBLIC_URL + reverse("usage:alerts", args=[slug]),
    }


def webhook_body(alert: AlertSent, delivery_id: str) -> bytes:
    """The JSON that a webhook gets; sums as text, so that nothing is rounded."""
    context = context_of(alert)
    payload = {
        "id": delivery_id,
        "type": alert.kind,
        "organization": alert.organization.slug,
        "month": f"{alert.month:%Y-%m}",
        "title": alert.title,
        "text": alert.text,
        "threshold_usd": None if alert.threshold is None else str(alert.threshold),
        "cost_usd": None if alert.cost is None else str(alert.cost),
        "created_at": alert.created_at.isoformat(),
        "usage_url": context["usage_url"],
    }
    return json.dumps(payload).encode()


def _email(delivery: AlertDelivery) -> None:
    alert = delivery.alert
    addresses = _addresses(alert.organization)
    if not addresses:
        raise NotDelivered("there is nobody to write to")
    mail = notice_mail(
        "usage/email/alert", context_of(alert), subject=alert.title, to=addresses, matter=f"alert-{alert.pk}"
    )
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        raise NotDelivered(f"the mail server did not take it ({type(error).__name__})") from None


def _addresses(organization: Organization) -> list[str]:
    chosen = CostAlert.objects.filter(organization=organization).exclude(email="").values_list("email", flat=True)
    if chosen:
        return list(chosen)
    return list(active_admins(organization).values_list("email", flat=True))


def _slack(delivery: AlertDelivery) -> None:
    alert = delivery.alert
    # Slack's own three escapes: https://docs.slack.dev/messaging/formatting-message-text#escaping
    title, text = (
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in (alert.title, alert.text)
    )
    body = json.dumps({"text": f"*{title}*\n{text}\n{context_of(alert)['usage_url']}"}).encode()
    post_json(_secret(alert.organization, AlertChannel.SLACK), body, {})


def _webhook(delivery: AlertDelivery) -> None:
    organization = delivery.alert.organization
    body = webhook_body(delivery.alert, str(delivery.pk))
    secret = _secret(organization, AlertChannel.WEBHOOK)
    post_signed(_webhook_url(organization), body, secret=secret, delivery_id=delivery.pk)


def _secret(organization: Organization, channel: AlertChannel) -> str:
    row = AlertSecret.objects.filter(organization=organization, channel=channel).first()
    if row is None:
        raise NotDelivered("the channel was taken out of the settings")
    try:
        return sealer().open(row.sealed, organization_id=row.organization_id, row_id=row.pk)
    except SecretUnreadable:
        raise NotDelivered("its secret can no longer be opened: save the channel again") from None


def _webhook_url(organization: Organization) -> str:
    row = AlertSettings.objects.filter(organization=organization).first()
    return row.webhook_url if row else ""
