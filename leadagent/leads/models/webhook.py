"""Where an organisation is told about outcomes of its leads, and how each message went."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.lead import Lead
from leadagent.tenants.models import Organization, User
from usage.models import Delivery


class LeadEvent(models.TextChoices):
    """What can be told. The values are what receivers see as `type`."""

    CREATED = "lead.created", "A lead came in"
    QUALIFIED = "lead.qualified", "A lead was found qualified"
    ANSWERED = "lead.answered", "An approved email went out"
    NEEDS_ATTENTION = "lead.needs_attention", "A run or an email stopped and needs a person"


# Beside the outcomes: what an admin sends to see that it arrives.
TEST_EVENT = "test"


class LeadWebhook(models.Model):
    """One address that is told. `sealed` is the secret that its messages are signed with, sealed for this row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="lead_webhooks")
    url = models.URLField(max_length=500)
    events = ArrayField(models.CharField(max_length=30, choices=LeadEvent.choices))
    # Messages then hold words of the report and of the lead.
    with_reasons = models.BooleanField(default=False)
    sealed = models.TextField(editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at"], name="webhook_of_organization")]

    def __str__(self) -> str:
        return f"{self.organization_id}: {', '.join(self.events)}"

    @property
    def event_labels(self) -> list[str]:
        return [str(LeadEvent(event).label) for event in self.events if event in LeadEvent]


class WebhookDelivery(Delivery):
    """One outcome for one address, made with the outcome. Its id is what a receiver tells repeats apart by."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(LeadWebhook, on_delete=models.CASCADE, related_name="deliveries")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=30)
    # What happened, so that one outcome is told once: its event and the row that it happened to.
    key = models.CharField(max_length=120)
    # What is sent, as it was when it happened.
    payload: models.JSONField[dict[str, Any]] = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["webhook", "key"], name="one_delivery_per_outcome")]
        indexes = [
            models.Index(
                fields=["next_try_at"], name="webhook_deliveries_waiting", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["webhook", "-created_at", "-id"], name="webhook_history"),
            models.Index(fields=["created_at"], name="webhook_deliveries_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.state}"
