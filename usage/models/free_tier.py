"""The month's free requests on the platform's key."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization


class FreeTierMonth(models.Model):
    """How many of a UTC month's free requests on the platform's key an organisation has taken."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="free_tier_months")
    month = models.DateField()
    used = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "month"], name="one_free_tier_row_per_month"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.month:%Y-%m}: {self.used}"
