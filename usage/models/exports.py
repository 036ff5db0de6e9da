"""Downloads of usage that are prepared in the background."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization
from usage.recording.events import new_event_id


class ExportState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Being written"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class UsageExport(models.Model):
    """A download that is prepared in the background, because writing it takes long; a file on disk once it is ready."""

    id = models.UUIDField(primary_key=True, default=new_event_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="usage_exports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # The filter as `usage.calls.call_filter.CallFilter.as_values` writes it.
    wanted: models.JSONField[dict[str, str]] = models.JSONField(default=dict, blank=True)
    format = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=ExportState.choices, default=ExportState.WAITING)
    rows_expected = models.PositiveBigIntegerField(default=0)
    rows_written = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField("size in bytes", default=0)
    requested_at = models.DateTimeField(default=timezone.now)
    # Moves while it is written: one that stopped moving has lost its process, and is begun again.
    alive_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    # When the person was told by email; NULL while that is still to be done.
    told_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "usage export"
        indexes = [models.Index(fields=["organization", "-requested_at"], name="usage_export_of_org")]

    def __str__(self) -> str:
        return f"{self.format} of {self.organization_id}: {self.get_state_display()}"

    @property
    def share(self) -> int:
        """How much of it is written, in percent; 100 is kept for the finished file."""
        if self.state == ExportState.READY:
            return 100
        return min(99, self.rows_written * 100 // self.rows_expected) if self.rows_expected else 0

    @property
    def is_under_way(self) -> bool:
        return self.state in {ExportState.WAITING, ExportState.RUNNING}
