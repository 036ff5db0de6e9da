"""What an organisation is told, where that goes, and how each delivery went."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization
from usage.models.calls import COST_DECIMALS, COST_DIGITS
from usage.models.deliveries import Delivery


class AlertChannel(models.TextChoices):
    EMAIL = "email", "Email"
    SLACK = "slack", "Slack"
    WEBHOOK = "webhook", "Webhook"


class CostAlert(models.Model):
    """Whom to tell when a month's known cost passes a threshold in US dollars."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="cost_alert")
    enabled = models.BooleanField(default=False)
    monthly_threshold = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    email = models.EmailField(blank=True)

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.monthly_threshold if self.enabled else 'off'}"


class AlertSettings(models.Model):
    """What an organisation wants to be told beside its monthly sum, and the address of its webhook."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="alert_settings")
    forecast = models.BooleanField(default=True)
    error_spike = models.BooleanField(default=True)
    webhook_url = models.URLField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "alert settings"

    def __str__(self) -> str:
        return f"{self.organization_id}: forecast {self.forecast}, errors {self.error_spike}"


class AlertSecret(models.Model):
    """A channel's secret, sealed for this row: Slack's address holds one, a webhook is signed with one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="alert_secrets")
    channel = models.CharField(max_length=10, choices=AlertChannel.choices)
    sealed = models.TextField()
    last4 = models.CharField(max_length=4)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "channel"], name="one_alert_secret_per_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.channel}"


class AlertSent(models.Model):
    """One alert per organisation, UTC month and `key` (what it is about): the row comes first, then its deliveries."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="alerts_sent")
    month = models.DateField()
    kind = models.CharField(max_length=20, default="threshold")
    key = models.CharField(max_length=120, blank=True)
    title = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    # US dollars; empty for what is about no sum.
    threshold = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    cost = models.DecimalField(max_digits=COST_DIGITS, decimal_places=COST_DECIMALS, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # Empty while no channel has taken it.
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "month", "key"], name="one_alert_per_key")]
        verbose_name = "sent alert"

    def __str__(self) -> str:
        return f"{self.organization_id} {self.month:%Y-%m} {self.key}"


class AlertDelivery(Delivery):
    """One alert on one channel. Its id is what a receiver tells repeats apart by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    alert = models.ForeignKey(AlertSent, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=10, choices=AlertChannel.choices)

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [models.UniqueConstraint(fields=["alert", "channel"], name="one_delivery_per_channel")]
        indexes = [
            models.Index(fields=["next_try_at"], name="alert_deliveries_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.channel}: {self.state}"
