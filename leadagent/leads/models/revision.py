"""Every text that a draft has had, and the rewrites that were asked for."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.draft import EmailDraft
from leadagent.tenants.models import User


class RevisionKind(models.TextChoices):
    WRITTEN = "written", "Written"
    EDITED = "edited", "Edited"
    REGENERATED = "regenerated", "Rewritten"


class DraftRevision(models.Model):
    """One text of a draft. It never changes: what is in force is in the draft, and stands here too."""

    draft = models.ForeignKey(EmailDraft, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=RevisionKind.choices)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    # Who edited it or asked for it; nobody for what the workflow wrote.
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    instruction = models.TextField(blank=True)
    # Empty where a person wrote it.
    model = models.CharField(max_length=200, blank=True)
    prompt_version = models.CharField(max_length=40, blank=True)
    # The revision whose text this is, where a person went back to it.
    restored_from = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["draft", "number"], name="one_revision_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.draft_id} #{self.number}"


class RewriteStatus(models.TextChoices):
    WAITING = "waiting", "Under way"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class DraftRewrite(models.Model):
    """A wish to have a draft written anew as an instruction says: one AI call, made by a worker.

    `claimed_at` belongs to the worker that makes it; `heard_at` is when it was last heard of.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    draft = models.ForeignKey(EmailDraft, on_delete=models.CASCADE, related_name="rewrites")
    instruction = models.TextField()
    # The draft's version that the rewrite is made of. Where it has moved on, the result is kept beside it.
    base_version = models.PositiveIntegerField()
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=10, choices=RewriteStatus.choices, default=RewriteStatus.WAITING)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    # The text that came of it, and whether it could not be put in force because the draft had moved on.
    revision = models.ForeignKey(DraftRevision, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    kept_aside = models.BooleanField(default=False)
    # Why the platform's AI wrote it in place of the own key, as it follows "because"; empty where it did not.
    platform_reason = models.TextField(blank=True)
    # A person lets the platform's AI write it, should the own key fail.
    platform_granted = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["draft"],
                condition=Q(status=RewriteStatus.WAITING.value),
                name="one_open_rewrite_per_draft",
            ),
        ]

    def __str__(self) -> str:
        return f"rewrite of {self.draft_id} ({self.status})"
