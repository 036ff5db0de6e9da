"""What every message to a place outside has: how far its delivery is."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not delivered"


class Delivery(models.Model):
    """One message to one place; `usage.alerting.delivering` tries it until it is taken or given up."""

    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True
