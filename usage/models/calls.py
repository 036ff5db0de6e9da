"""One row per exchange with a provider.

`usage` knows nothing of providers or leads. It stores their names and ids as plain
values, so that history survives their deletion.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from leadagent.tenants.models import Organization

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
