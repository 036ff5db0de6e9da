"""What an organisation knows about itself: documents, cut into chunks that can be searched by meaning."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from pgvector.django import VectorField
from uuid6 import uuid7

from leadagent.tenants.models import Organization, User


class DocumentStatus(models.TextChoices):
    PENDING = "pending", "Being prepared"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Document(models.Model):
    """One text. It is found by the agent once its status is ready."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=200)
    content = models.TextField()
    status = models.CharField(max_length=10, choices=DocumentStatus.choices, default=DocumentStatus.PENDING)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    # Without its vendor: one model's vectors compare, whoever served them.
    embedding_model = models.CharField(max_length=200, blank=True)
    # A person lets the platform's AI prepare it, should the own key fail.
    platform_granted = models.BooleanField(default=False)
    # Why the platform's AI prepared it in place of the own key, as it follows "because"; empty where it did not.
    platform_reason = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Set by the one worker that prepares the document; with it the outcome is written.
    claimed_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="document_newest_first")]

    def __str__(self) -> str:
        return self.title


class Chunk(models.Model):
    """A piece of a document with its vector. Vectors compare only within one model and dimension."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="chunks")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    text = models.TextField()
    embedding = VectorField()
    embedding_model = models.CharField(max_length=200)
    dimension = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="one_chunk_per_position")]
        indexes = [
            models.Index(fields=["organization", "embedding_model", "dimension"], name="chunk_searched_together")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} #{self.position}"
