"""What organisations were told about features by email."""

from __future__ import annotations

from django.db import models

from leadagent.tenants.models import Organization


class Announcement(models.Model):
    """That an organisation was told about a feature by email: once, whatever runs twice."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="announcements")
    name = models.CharField(max_length=40)
    started_at = models.DateTimeField(auto_now_add=True)
    # Empty while the mail server has not taken it.
    sent_at = models.DateTimeField(null=True, blank=True)
    recipients = models.PositiveIntegerField(default=0)
    # Ids of the users whose mail the server has taken, one by one: what a run that was cut off left over is the rest.
    told: models.JSONField[list[int]] = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="one_announcement_per_name")]

    def __str__(self) -> str:
        return f"{self.name} to {self.organization_id}"
