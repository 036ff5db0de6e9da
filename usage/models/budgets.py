"""What an organisation may spend and how fast it may call: its budgets, what a month took of them, its own rate."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from leadagent.tenants.models import Organization


class Budget(models.Model):
    """US dollars per UTC month for one operation, or for all of them where `operation` is empty.

    Passing `soft` tells, reaching `hard` stops; each may be missing.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="budgets")
    operation = models.CharField(max_length=40, blank=True)
    soft = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    hard = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "operation"], name="one_budget_per_operation"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.operation or 'all'}: soft {self.soft}, hard {self.hard}"


class BudgetMonth(models.Model):
    """What calls have taken of a hard budget in a UTC month: known costs, and what is held for calls under way."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="budget_months")
    operation = models.CharField(max_length=40, blank=True)
    month = models.DateField()
    taken = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    updated_at = models.DateTimeField(default=timezone.now)
    # When a call did not fit any more; empty again once the budget was raised.
    refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "operation", "month"], name="one_budget_row_per_month"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.operation or 'all'} {self.month:%Y-%m}: {self.taken}"


class CallRate(models.Model):
    """How many AI calls and tokens per minute an organisation allows itself, below what the operator allows."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="call_rate")
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.requests_per_minute} requests, {self.tokens_per_minute} tokens"
