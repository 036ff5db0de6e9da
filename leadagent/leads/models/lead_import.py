"""Leads that come in by the file: the file, how far it is taken in, and what became of each row."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.lead import Lead
from leadagent.tenants.models import Organization, User

MOST_AT_ONCE = 20


class ImportStatus(models.TextChoices):
    MAPPING = "mapping", "Columns to be chosen"
    READING = "reading", "Taking rows in"
    RUNNING = "running", "Running the workflow"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"
    # Nobody chose columns for so long that its text was deleted.
    EXPIRED = "expired", "File removed"


class RowOutcome(models.TextChoices):
    ADDED = "added", "Added"
    DUPLICATE = "duplicate", "Already there"
    BAD = "bad", "Not usable"


# A worker has something to do for these.
MOVING = (ImportStatus.READING, ImportStatus.RUNNING)


class LeadImport(models.Model):
    """One file. Its text is kept until it has been taken in; `next_row` says how far that is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="lead_imports")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    file_name = models.CharField(max_length=200)
    content = models.TextField()
    encoding = models.CharField(max_length=20)
    delimiter = models.CharField(max_length=1)
    # Field of a lead -> number of its column, from 0.
    columns: models.JSONField[dict[str, int]] = models.JSONField(default=dict)
    rows_total = models.PositiveIntegerField()
    next_row = models.PositiveIntegerField(default=0)
    starts_runs = models.BooleanField(default=False)
    # So many leads of this import are worked on at a time.
    at_once = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)]
    )
    status = models.CharField(max_length=10, choices=ImportStatus.choices, default=ImportStatus.MAPPING)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="import_newest_first"),
            models.Index(
                fields=["created_at"], condition=Q(status__in=[status.value for status in MOVING]), name="import_moving"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.status})"

    @property
    def is_moving(self) -> bool:
        return self.status in MOVING


class ImportRow(models.Model):
    """What became of one row; `line` is where it begins in the file, from 1. Once per row, whoever reads it twice."""

    lead_import = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10, choices=RowOutcome.choices)
    reason = models.TextField(blank=True)
    # Of rows that were not added: what stood in them.
    cells: models.JSONField[list[str]] = models.JSONField(default=list)
    lead = models.ForeignKey(Lead, on_delete=models.SET_NULL, null=True, related_name="+")
    # Of added rows: when the workflow was started.
    run_started_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["line"]
        constraints = [
            models.UniqueConstraint(fields=["lead_import", "line"], name="one_outcome_per_row"),
        ]
        indexes = [
            models.Index(
                fields=["lead_import", "line"],
                condition=Q(outcome=RowOutcome.ADDED.value, run_started_at=None),
                name="import_not_started",
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"
