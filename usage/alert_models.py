"""Where an organisation's alerts go, and how each delivery went."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization


class AlertChannel(models.TextChoices):
    EMAIL = "email", "Email"
    SLACK = "slack", "Slack"
    WEBHOOK = "webhook", "Webhook"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not delivered"


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


class AlertDelivery(models.Model):
    """One alert on one channel. Its id is what a receiver tells repeats apart by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    alert = models.ForeignKey("usage.AlertSent", on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=10, choices=AlertChannel.choices)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [models.UniqueConstraint(fields=["alert", "channel"], name="one_delivery_per_channel")]
        indexes = [
            models.Index(fields=["next_try_at"], name="alert_deliveries_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.channel}: {self.state}"
