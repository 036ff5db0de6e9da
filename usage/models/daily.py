"""The daily rollup: what pages, alerts and answers sum."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from leadagent.tenants.models import Organization
from usage.analytics.durations import ALL_DIGITS
from usage.models.calls import KeyOwner, TokenCounts


class UsageDaily(TokenCounts):
    """AIUsage summed per organisation, UTC day, operation, provider, model, key owner and error code.

    Always recomputable from AIUsage. `estimated_cost` sums only what has no actual cost,
    so that actual + estimated is the known cost; `unpriced_requests` have neither.
    `error_code` is empty for what succeeded. `durations`: see `usage.analytics.durations`.
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
