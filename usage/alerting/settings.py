"""Saving what an organisation wants to be told, and where: secrets go in and never come out again."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert
from usage.alerting.sealing import sealer
from usage.alerting.signed_posts import new_secret
from usage.models import AlertChannel, AlertSecret, AlertSettings


@dataclass(frozen=True, slots=True)
class AlertChoice:
    """`cost_alert`: None keeps the stored one.

    `slack_url`: a text takes the place of the stored one, empty keeps it, None takes the channel out.
    """

    cost_alert: CostAlertChoice | None
    forecast: bool
    error_spike: bool
    webhook_url: str
    slack_url: str | None = ""


def alert_settings_of(organization: Organization) -> AlertSettings:
    """The stored settings; an unsaved row where none are stored."""
    return AlertSettings.objects.filter(organization=organization).first() or AlertSettings(organization=organization)


def secrets_of(organization: Organization) -> dict[str, AlertSecret]:
    """Channel -> its stored secret, sealed."""
    return {row.channel: row for row in AlertSecret.objects.filter(organization=organization)}


def save_alert_settings(
    organization: Organization, choice: AlertChoice, *, actor: User | None = None, request: HttpRequest | None = None
) -> str:
    """Store the choice; returns the secret of a webhook that is new, to be shown once, else an empty text."""
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        before = _as_json(organization)
        row = alert_settings_of(organization)
        row.forecast, row.error_spike, row.webhook_url = choice.forecast, choice.error_spike, choice.webhook_url
        row.save()
        if choice.cost_alert is not None:
            save_cost_alert(organization, choice.cost_alert)
        if choice.slack_url:
            _seal(organization, AlertChannel.SLACK, choice.slack_url)
        elif choice.slack_url is None:
            AlertSecret.objects.filter(organization=organization, channel=AlertChannel.SLACK).delete()
        shown = ""
        signing = AlertSecret.objects.filter(organization=organization, channel=AlertChannel.WEBHOOK)
        if not choice.webhook_url:
            signing.delete()
        elif not signing.exists():
            shown = _make_webhook_secret(organization)
        after = _as_json(organization)
        if before != after:
            audit.record(
                "alert.saved", organization=organization, actor=actor, before=before, after=after, request=request
            )
    return shown


def renew_webhook_secret(
    organization: Organization, *, actor: User | None = None, request: HttpRequest | None = None
) -> str:
    """Make a new secret for the webhook and return it, to be shown once; empty where there is no webhook."""
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if not alert_settings_of(organization).webhook_url:
            return ""
        text = _make_webhook_secret(organization)
        audit.record("alert.secret_renewed", organization=organization, actor=actor, request=request)
    return text


def _make_webhook_secret(organization: Organization) -> str:
    text = new_secret()
    _seal(organization, AlertChannel.WEBHOOK, text)
    return text


def _seal(organization: Organization, channel: AlertChannel, text: str) -> None:
    row = AlertSecret.objects.filter(organization=organization, channel=channel).first()
    row = row or AlertSecret(organization=organization, channel=channel)
    row.sealed = sealer().seal(text, organization_id=organization.pk, row_id=row.pk)
    row.last4, row.saved_at = text[-4:], timezone.now()
    row.save()


def _as_json(organization: Organization) -> dict[str, object]:
    row = alert_settings_of(organization)
    slack = secrets_of(organization).get(AlertChannel.SLACK)
    return {
        "cost_alert": cost_alert_of(organization).as_json(),
        "forecast": row.forecast,
        "error_spike": row.error_spike,
        "webhook_url": row.webhook_url,
        "slack": f"ends in {slack.last4}" if slack else "off",
    }
