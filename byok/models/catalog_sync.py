"""Looks at the catalog's sources, and what they changed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from byok.models.choices import provider_choices
from leadagent.tenants.models import Organization


class SyncOutcome(models.TextChoices):
    CHANGED = "changed", "Changed"
    UNCHANGED = "unchanged", "Nothing new"
    # A broken answer changes nothing.
    FAILED = "failed", "Failed"


class CatalogSync(models.Model):
    """One look at a source of the catalog, and what came of it."""

    # packaged, openrouter, or openai of one organisation.
    source = models.CharField(max_length=20)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=SyncOutcome.choices, blank=True)
    # The source's own mark of this version: an ETag, or a hash of the packaged facts.
    etag = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=300, blank=True)
    listed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    repriced = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "catalog sync"
        indexes = [models.Index(fields=["source", "-started_at"], name="catalog_sync_latest")]

    def __str__(self) -> str:
        return f"{self.source} at {self.started_at:%Y-%m-%d %H:%M}"


class ChangeKind(models.TextChoices):
    ADDED = "added", "Added"
    REMOVED = "removed", "No longer listed"
    RESTORED = "restored", "Listed again"
    REPRICED = "repriced", "New price"
    RETIRED = "retired", "Retirement announced"


class CatalogChange(models.Model):
    """One model's change, found by a sync."""

    sync = models.ForeignKey(CatalogSync, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=10, choices=ChangeKind.choices)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    route = models.CharField("provider", max_length=20, choices=provider_choices)
    model_id = models.CharField(max_length=200)
    # Of what changed: prices as decimal strings by column name, retired_on as a date, successor.
    before: models.JSONField[dict[str, str | None]] = models.JSONField(default=dict, blank=True)
    after: models.JSONField[dict[str, str | None]] = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)
    # When the organisations that use the model were told; NULL while they still have to be.
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "catalog change"
        indexes = [
            models.Index(fields=["-at", "-id"], name="catalog_change_latest"),
            models.Index(fields=["id"], name="catalog_change_untold", condition=Q(told_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.model_id}: {self.get_kind_display()}"


class CatalogDigest(models.Model):
    """One mail to an organisation's admins about changes to models that it uses."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="catalog_digests")
    changes = models.ManyToManyField(CatalogChange, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # Ids of the users whose mail the server has taken, one by one: what a run that was cut off left over is the rest.
    told: models.JSONField[list[int]] = models.JSONField(default=list)
    # Empty while somebody still has to be told.
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "catalog digest"

    def __str__(self) -> str:
        return f"to {self.organization_id} at {self.created_at:%Y-%m-%d %H:%M}"
