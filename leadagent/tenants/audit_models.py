"""The audit log's tables. What protects them is in the database: see migration 0004 and docs/audit.md."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditEvent(models.Model):
    """Who did what, when and from where. Holds no secret: see `tenants.audit.record`.

    Rows are written once: PostgreSQL refuses to change or delete them. At commit it numbers
    each event within its organisation's chain and hashes it together with the one before it,
    so `position`, `previous_hash` and `hash` are empty until then.

    `organization` and `actor` are plain references: their rows may be gone (the attribute
    then raises `DoesNotExist`, `select_related` gives None). `actor_label` stays.
    """

    organization = models.ForeignKey(
        "tenants.Organization",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="audit_events",
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    # Kept as text too: the event outlives the account.
    actor_label = models.CharField(max_length=254)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Counted from 1 within the chain.
    position = models.BigIntegerField(null=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    hash = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "-created_at", "-id"], name="audit_by_organization"),
            models.Index(fields=["actor", "-created_at"], name="audit_by_actor"),
            # Empty but for what the running transactions have written.
            models.Index(
                fields=["position"],
                condition=models.Q(position=None) | models.Q(position=0),
                name="audit_not_chained",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "position"],
                condition=models.Q(position__gt=0),
                nulls_distinct=False,
                name="audit_one_event_per_position",
            )
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} {self.actor_label} {self.action} {self.target}"


class AuditChain(models.Model):
    """The head of one chain: how many events it has and the hash of the last. PostgreSQL keeps it."""

    # The organisation's id; 0 for events that belong to none.
    id = models.BigIntegerField(primary_key=True)
    length = models.BigIntegerField()
    head = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"chain {self.id}: {self.length} events, head {self.head[:12]}"
