"""Stored keys. Loading a row never opens one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from byok.encryption import KeyBinding, mask_api_key
from byok.models.choices import CredentialStatus, new_id, provider_choices
from leadagent.tenants.models import Organization

# How long a replaced key can be brought back.
UNDO_LIFETIME = timedelta(hours=24)
RECHECK_EVERY = timedelta(days=1)
# When a key, or the secret that seals them all, is due for a new one.
ROTATE_AFTER = timedelta(days=90)


class SealedKey(models.Model):
    """A sealed key with what pages show of it. Nothing here is opened to be shown."""

    sealed_key = models.TextField(editable=False)
    # Name of the secret that sealed it (see `byok.encryption.key_id`): what a rotation still has to do.
    key_id = models.CharField(max_length=8, editable=False)
    prefix = models.CharField(max_length=16, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=20, choices=CredentialStatus.choices, default=CredentialStatus.UNTESTED)
    status_message = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    # When a person saved this key. Names the key within its row: a rotation does not change it.
    saved_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        abstract = True

    @property
    def masked(self) -> str:
        return mask_api_key(prefix=self.prefix, last4=self.last4)


class ProviderCredential(SealedKey):
    """An organisation's key for one provider."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="credentials")
    provider = models.CharField(max_length=20, choices=provider_choices)
    # The last capability report (`byok.checking.reports.ConnectionReport.as_json`), or None before the first.
    report: models.JSONField[dict[str, object] | None] = models.JSONField(null=True, blank=True)
    # From the provider, where it tells.
    expires_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(default=timezone.now, db_index=True)
    # Since when the key is rejected or unreadable, while it is. Names the refusal: it is told once.
    refused_since = models.DateTimeField(null=True, blank=True)
    # When the admins were told of the refusal; None: not told.
    rejection_told_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "provider"], name="one_credential_per_provider")]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.masked} of {self.organization_id}"

    @property
    def binding(self) -> KeyBinding:
        return KeyBinding(
            organization_id=self.organization_id,
            provider=self.provider,
            credential_id=self.id,
        )

    @property
    def age_in_days(self) -> int:
        """Whole days since a person saved this key; sealing it anew does not make it younger."""
        return (timezone.now() - self.saved_at).days

    @property
    def is_due_for_rotation(self) -> bool:
        """Whether the key is so old that its owner should make a new one at the provider."""
        return timezone.now() - self.saved_at >= ROTATE_AFTER


class SupersededKey(SealedKey):
    """The key that a newer one replaced, kept until `undo_until` so that the change can be taken back.

    Sealed anew for a purpose of its own: as the row's key it would not open.
    """

    credential = models.OneToOneField(ProviderCredential, on_delete=models.CASCADE, related_name="superseded")
    superseded_at = models.DateTimeField(default=timezone.now)
    undo_until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.masked}, replaced on {self.superseded_at:%Y-%m-%d}"

    @property
    def binding(self) -> KeyBinding:
        return superseded_binding(self.credential.binding)


def superseded_binding(binding: KeyBinding) -> KeyBinding:
    """What the previous key of the same row is bound to."""
    return replace(binding, purpose="superseded_key")


class KeyUseDay(models.Model):
    """How often a key was opened for calls on one UTC day, by operation. Written once, the day after."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="key_use_days")
    # A plain value: the trace outlives the key.
    credential_id = models.UUIDField()
    provider = models.CharField(max_length=20, choices=provider_choices)
    day = models.DateField()
    calls = models.PositiveIntegerField()
    # operation -> calls
    operations: models.JSONField[dict[str, int]] = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential_id", "day"], name="one_row_per_key_and_day")]
        indexes = [models.Index(fields=["organization", "-day"], name="key_use_of_organization")]

    def __str__(self) -> str:
        return f"{self.credential_id} on {self.day}: {self.calls}"


class SealingSecret(models.Model):
    """When this installation first sealed with a secret, by the secret's public name (never the secret)."""

    key_id = models.CharField(primary_key=True, max_length=8)
    first_used_at = models.DateTimeField(default=timezone.now)
    reminded_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.key_id}, since {self.first_used_at:%Y-%m-%d}"
