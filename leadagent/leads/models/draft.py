"""The reply that a person looks at before it goes out."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.workflow import WorkflowRun
from leadagent.tenants.models import User


class DraftStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    SEND_FAILED = "send_failed", "Not sent"
    DISCARDED = "discarded", "Discarded"
    # Of a run that only compares models: to look at, never to send.
    COMPARED = "compared", "For comparison"


class EmailDraft(models.Model):
    """One reply. `version` counts its changes: who saves must have seen the newest one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.OneToOneField(WorkflowRun, on_delete=models.CASCADE, related_name="draft")
    subject = models.CharField(max_length=200)
    body = models.TextField()
    original_subject = models.CharField(max_length=200, editable=False)
    original_body = models.TextField(editable=False)
    status = models.CharField(max_length=12, choices=DraftStatus.choices, default=DraftStatus.DRAFT)
    version = models.PositiveIntegerField(default=1)
    edited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    edited_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    # When a worker is to send it: at the time that a person chose, or again after the mail server asked to wait.
    scheduled_for = models.DateTimeField(null=True, blank=True)
    send_attempts = models.PositiveSmallIntegerField(default=0)
    # Set by the one worker that hands the mail over; with it the outcome is written.
    send_started_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # The same for every attempt, so that a mail server may drop a second copy.
    message_id = models.CharField(max_length=200, unique=True, editable=False)
    error_sentence = models.TextField(blank=True)
    # When the newest notice came that a mail that had been sent was not delivered.
    bounced_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["scheduled_for"], condition=Q(status=DraftStatus.SCHEDULED.value), name="draft_scheduled"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def is_editable(self) -> bool:
        return self.status in (DraftStatus.DRAFT, DraftStatus.SEND_FAILED)

    @property
    def was_edited(self) -> bool:
        return (self.subject, self.body) != (self.original_subject, self.original_body)
