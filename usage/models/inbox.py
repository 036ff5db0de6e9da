"""What happens to an event before it is a row of `AIUsage`, and to a row afterwards."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import MD5, Cast, Now

from leadagent.tenants.models import Organization


class InboxKind(models.TextChoices):
    STARTED = "started"
    # The provider has named the generation: by that name it can be asked later what a lost answer cost.
    ANSWERED = "answered"
    FINISHED = "finished"


class UsageInbox(models.Model):
    """Events as the call path wrote them, waiting for the drain. No foreign keys: an insert here must not fail."""

    seq = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    kind = models.CharField(max_length=10, choices=InboxKind.choices)
    payload = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["event_id"], name="usage_inbox_event")]
        verbose_name = "usage event in the inbox"
        verbose_name_plural = "usage inbox"

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class DeadLetterKind(models.TextChoices):
    UNSTORABLE = "unstorable", "Cannot be stored"
    CONFLICT = "conflict", "Same id, other figures"


class DeadLetter(models.Model):
    """An event that the drain could not make a row of. Kept as it came, for a person to look at and to try again."""

    event_id = models.UUIDField(db_index=True)
    kind = models.CharField(max_length=10, choices=DeadLetterKind.choices)
    payload = models.JSONField()
    reason = models.TextField()
    received_at = models.DateTimeField()
    put_aside_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # However often a wrong event comes again, it is one case to look at.
            models.UniqueConstraint(
                "event_id", "kind", MD5(Cast("payload", models.TextField())), name="one_dead_letter_per_payload"
            )
        ]
        verbose_name = "usage event put aside"
        verbose_name_plural = "usage events put aside"

    def __str__(self) -> str:
        return f"{self.event_id}: {self.reason[:80]}"


class UnsettledCall(models.Model):
    """A row of `AIUsage` whose cost is unknown and whose provider can be asked, by the name it gave the generation."""

    usage_id = models.UUIDField(primary_key=True, editable=False)
    usage_created_at = models.DateTimeField()
    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    provider = models.CharField(max_length=20)
    key_owner = models.CharField(max_length=10)
    credential_id = models.UUIDField(null=True)
    provider_request_id = models.CharField(max_length=200)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "call whose cost is asked for"
        verbose_name_plural = "calls whose cost is asked for"

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_request_id}"


class DroppedMonth(models.Model):
    """A month whose single calls were deleted when their time was over. Its daily sums stay."""

    month = models.DateField(primary_key=True)
    rows = models.BigIntegerField()
    dropped_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "month without single calls"
        verbose_name_plural = "months without single calls"

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.rows}"
