"""What each AI call used and cost: an inbox of events, the table they end in, and its daily rollup.

`usage` knows nothing of providers or leads. It stores their names and ids as plain
values, so that history survives their deletion.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5, Cast, Now
from django.utils import timezone

from leadagent.tenants.models import Organization
from usage.durations import ALL_DIGITS

# US dollars: prices per million tokens have at most six decimals, so twelve are exact.
COST_DIGITS = 20
COST_DECIMALS = 12


class KeyOwner(models.TextChoices):
    CUSTOMER = "customer", "Own key"
    PLATFORM = "platform", "Platform key"


class UsageState(models.TextChoices):
    FINAL = "final", "Recorded"
    # The process died between the provider's answer and our record of it.
    UNRECONCILED = "unreconciled", "Not confirmed"
    # The answer was lost or cut; the provider told afterwards what the call used and cost.
    REPAIRED = "repaired", "Told afterwards"


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


class TokenCounts(models.Model):
    """Disjoint buckets: no token is counted, or priced, twice. Reasoning is a part of output."""

    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    total_tokens = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class AIUsage(TokenCounts):
    """One HTTP exchange with a provider. Partitioned by month of `created_at` (see the migration).

    `actual_cost` is what the provider reported, `estimated_cost` what dated prices say;
    both NULL means that the cost is unknown, which is never the same as zero.
    """

    pk = models.CompositePrimaryKey("id", "created_at")
    # Made by the caller before the call (UUIDv7); `created_at` is the time inside it.
    id = models.UUIDField(editable=False)
    created_at = models.DateTimeField(editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    operation = models.CharField(max_length=40)
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=200)
    key_owner = models.CharField(max_length=10, choices=KeyOwner.choices)
    credential_id = models.UUIDField(null=True)
    price_version = models.CharField(max_length=60, blank=True)
    actual_cost = models.DecimalField(null=True, max_digits=COST_DIGITS, decimal_places=COST_DECIMALS)
    estimated_cost = models.DecimalField(null=True, max_digits=COST_DIGITS, decimal_places=COST_DECIMALS)
    lead_id = models.UUIDField(null=True)
    run_id = models.UUIDField(null=True)
    duration_ms = models.IntegerField(null=True)
    success = models.BooleanField()
    http_status = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    streamed = models.BooleanField(default=False)
    # The provider's own id of the generation, to find it again in their dashboard.
    provider_request_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=15, choices=UsageState.choices, default=UsageState.FINAL)

    class Meta:
        verbose_name = "AI usage"
        indexes = [
            models.Index(
                fields=["organization", "-created_at", "-id"],
                name="usage_log_of_organization",
            )
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.operation} {self.model}"

    @property
    def cost(self) -> Decimal | None:
        """The best known cost in US dollars: actual before estimated, None when unknown."""
        return self.actual_cost if self.actual_cost is not None else self.estimated_cost


class UsageDaily(TokenCounts):
    """AIUsage summed per organisation, UTC day, operation, provider, model, key owner and error code.

    Always recomputable from AIUsage. `estimated_cost` sums only what has no actual cost,
    so that actual + estimated is the known cost; `unpriced_requests` have neither.
    `error_code` is empty for what succeeded. `durations`: see `usage.durations`.
    """

    DIMENSIONS: ClassVar[tuple[str, ...]] = (
        "organization_id",
        "day",
        "operation",
        "provider",
        "model",
        "key_owner",
        "error_code",
    )
    MEASURES: ClassVar[tuple[str, ...]] = (
        "requests",
        "successes",
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "output_tokens",
        "reasoning_tokens",
        "total_tokens",
        "actual_cost",
        "estimated_cost",
        "unpriced_requests",
        "duration_ms",
        "durations",
    )

    organization = models.ForeignKey(
        Organization,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    day = models.DateField()
    operation = models.CharField(max_length=40)
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=200)
    key_owner = models.CharField(max_length=10, choices=KeyOwner.choices)
    error_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    requests = models.BigIntegerField(default=0)
    successes = models.BigIntegerField(default=0)
    actual_cost = models.DecimalField(max_digits=24, decimal_places=12, default=Decimal(0))
    estimated_cost = models.DecimalField(max_digits=24, decimal_places=12, default=Decimal(0))
    unpriced_requests = models.BigIntegerField(default=0)
    duration_ms = models.BigIntegerField(default=0)
    durations = models.DecimalField(max_digits=ALL_DIGITS, decimal_places=0, default=Decimal(0), db_default=0)

    class Meta:
        verbose_name = "daily usage"
        verbose_name_plural = "daily usage"
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "day",
                    "operation",
                    "provider",
                    "model",
                    "key_owner",
                    "error_code",
                ],
                name="usage_daily_key",
            )
        ]
        indexes = [
            # Who has failures today, of all organisations.
            models.Index(fields=["day"], condition=Q(requests__gt=models.F("successes")), name="usage_daily_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.operation} {self.model}: {self.requests}"


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


class CostAlert(models.Model):
    """Whom to tell when a month's known cost passes a threshold in US dollars."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="cost_alert")
    enabled = models.BooleanField(default=False)
    monthly_threshold = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    email = models.EmailField(blank=True)

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.monthly_threshold if self.enabled else 'off'}"


class AlertSent(models.Model):
    """One alert per organisation, UTC month and `key` (what it is about): the row comes first, then its deliveries."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="alerts_sent")
    month = models.DateField()
    kind = models.CharField(max_length=20, default="threshold")
    key = models.CharField(max_length=120, blank=True)
    title = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    # US dollars; empty for what is about no sum.
    threshold = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    cost = models.DecimalField(max_digits=COST_DIGITS, decimal_places=COST_DECIMALS, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # Empty while no channel has taken it.
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "month", "key"], name="one_alert_per_key")]
        verbose_name = "sent alert"

    def __str__(self) -> str:
        return f"{self.organization_id} {self.month:%Y-%m} {self.key}"


# Django looks for an app's models here.
from usage.alert_models import AlertChannel as AlertChannel  # noqa: E402, PLC0414
from usage.alert_models import AlertDelivery as AlertDelivery  # noqa: E402, PLC0414
from usage.alert_models import AlertSecret as AlertSecret  # noqa: E402, PLC0414
from usage.alert_models import AlertSettings as AlertSettings  # noqa: E402, PLC0414
from usage.alert_models import DeliveryState as DeliveryState  # noqa: E402, PLC0414
from usage.budget_models import Budget as Budget  # noqa: E402, PLC0414
from usage.budget_models import BudgetMonth as BudgetMonth  # noqa: E402, PLC0414
from usage.budget_models import CallRate as CallRate  # noqa: E402, PLC0414
from usage.export_models import ExportState as ExportState  # noqa: E402, PLC0414
from usage.export_models import UsageExport as UsageExport  # noqa: E402, PLC0414
