"""What an organisation knows about itself: documents, their passages, and the vectors that find them by meaning."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from pgvector.django import VectorField
from uuid6 import uuid7

from leadagent.leads.models.vector_signs import SignsField
from leadagent.tenants.models import Organization, User


class DocumentStatus(models.TextChoices):
    PENDING = "pending", "Being prepared"
    READY = "ready", "Ready"
    # Nothing is wrong with the document: key, credit, budget or provider have to be mended first.
    WAITING = "waiting", "Waiting for AI"
    FAILED = "failed", "Failed"


class DocumentKind(models.TextChoices):
    """What the text was read from."""

    PASTED = "pasted", "Pasted text"
    TEXT = "text", "Text or Markdown"
    HTML = "html", "Web page"
    PDF = "pdf", "PDF"
    DOCX = "docx", "Word"


class Document(models.Model):
    """One text and how far it is prepared for search.

    A replaced text is the next `version` of the same document. Until that is prepared the
    passages of `searchable_version` are found (0: none yet).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=200)
    content = models.TextField()
    kind = models.CharField(max_length=10, choices=DocumentKind.choices, default=DocumentKind.PASTED)
    # As it was called on the computer it came from; empty for pasted text.
    file_name = models.CharField(max_length=200, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    searchable_version = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=10, choices=DocumentStatus.choices, default=DocumentStatus.PENDING)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    # A person lets the platform's AI prepare it, should the own key fail.
    platform_granted = models.BooleanField(default=False)
    # Why the platform's AI prepared it in place of the own key, as it follows "because"; empty where it did not.
    platform_reason = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Set by the one worker that prepares the document, anew with each stored batch; with it progress is written.
    claimed_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "-created_at", "-id"], name="document_newest_first")]

    def __str__(self) -> str:
        return self.title


class Chunk(models.Model):
    """A passage of one version of a document: a slice of its text, and the headings it stands under."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="chunks")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    version = models.PositiveIntegerField(default=1)
    position = models.PositiveIntegerField()
    # Outermost first, as they stand in the text.
    headings = models.JSONField(default=list)
    # Where its own part begins and ends in the document's text, in characters; `text` may begin earlier (overlap).
    start = models.PositiveIntegerField(default=0)
    end = models.PositiveIntegerField(default=0)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "version", "position"], name="one_chunk_per_place")]

    def __str__(self) -> str:
        return f"{self.document_id} #{self.position}"


class ChunkVector(models.Model):
    """What one embedding model makes of a chunk. Vectors compare only within one model and dimension.

    While an organisation changes its model a chunk has two.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="chunk_vectors")
    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="vectors")
    # Without its vendor: one model's vectors compare, whoever served them.
    model = models.CharField(max_length=200)
    dimension = models.PositiveIntegerField()
    embedding = VectorField()
    # One bit for each number of `embedding`; the database keeps them.
    signs = models.GeneratedField(
        expression=models.Func("embedding", function="binary_quantize"),
        output_field=SignsField(),
        db_persist=True,
        editable=False,
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "model"], name="one_vector_per_model")]
        indexes = [
            # With everything that the first look of a search needs, so that it reads nothing else.
            models.Index(
                fields=["organization", "model", "dimension"], include=["signs", "id"], name="vector_signs_together"
            )
        ]

    def __str__(self) -> str:
        return f"{self.chunk_id} by {self.model}"


class ReembeddingState(models.TextChoices):
    NONE = "none", "None"
    RUNNING = "running", "Under way"
    PAUSED = "paused", "Paused"
    DECLINED = "declined", "Cancelled"


class KnowledgeIndex(models.Model):
    """By which embedding model an organisation's knowledge is searched, and the change to another one.

    `provider` and `model` are as the configuration names them. The switch from `model` to
    `next_model` is one update of this row, once every searchable chunk has a vector of it.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="knowledge_index"
    )
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=200)
    # What is being changed to (running, paused), or what was declined; else empty.
    next_provider = models.CharField(max_length=20, blank=True)
    next_model = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=ReembeddingState.choices, default=ReembeddingState.NONE)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    # When the configuration in force was last compared with this.
    looked_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.model}"


class UploadStatus(models.TextChoices):
    WAITING = "waiting", "Waiting to be read"
    READING = "reading", "Being read"
    FAILED = "failed", "Not taken in"


class Upload(models.Model):
    """A file on its way to becoming a document. The row is gone once its text is stored; the file is never kept.

    Where it gave no text the row stays, without the file, until somebody has seen why.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="uploads")
    # The document whose next version it is to be; None: a new one.
    replaces = models.ForeignKey(Document, on_delete=models.CASCADE, null=True, blank=True, related_name="uploads")
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    data = models.BinaryField(null=True)
    status = models.CharField(max_length=10, choices=UploadStatus.choices, default=UploadStatus.WAITING)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at"], name="upload_oldest_first")]

    def __str__(self) -> str:
        return self.name
