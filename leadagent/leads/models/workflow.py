"""The state of a workflow: one run per answer to a lead, one row per step.

The rows here are the workflow's only memory. Who may change them, and when, is in
`leadagent.leads.running.workflow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid6 import uuid7

from leadagent.leads.models.lead import Category, Lead
from leadagent.leads.models.verdict import Qualification, QuotedReason
from leadagent.tenants.models import Organization, User


class RunStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting to try again"
    PAUSED = "paused", "Paused"
    FAILED = "failed", "Failed"
    AWAITING_REVIEW = "awaiting_review", "Waiting for approval"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


# A worker has something to do for these, now or later.
ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
# A lead has at most one run in these, and at most one comparison.
OPEN = (*ACTIVE, RunStatus.PAUSED, RunStatus.AWAITING_REVIEW)


class StepName(models.TextChoices):
    """The steps of a run in their order, which are the operations of their AI calls, too."""

    RESEARCH = "research", "Research"
    QUALIFICATION = "qualification", "Qualification"
    EMAIL_GENERATION = "email_generation", "Email draft"


class StepStatus(models.TextChoices):
    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"


class WorkflowRunQuerySet(models.QuerySet["WorkflowRun"]):
    def main(self) -> Self:
        """Runs that answer their lead; without those that only compare models."""
        return self.filter(is_comparison=False)

    def newest(self) -> WorkflowRun | None:
        """The one that was begun last."""
        return self.order_by("-created_at", "-pk").first()


class WorkflowRun(models.Model):
    """One pass of a lead through research, qualification and email draft.

    A comparison is a second pass with other models beside the first. Nothing of it is sent, and its lead
    stays where it is, unless a person puts its draft in the place of the open one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="workflow_runs")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=20, choices=RunStatus.choices, default=RunStatus.QUEUED)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    category = models.CharField(max_length=12, choices=Category.choices, blank=True)
    reason = models.TextField(blank=True)
    confidence = models.FloatField(null=True, blank=True)
    # Each as `QuotedReason.as_json` gives it.
    reasons: models.JSONField[list[dict[str, str]]] = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Operations that a person lets the platform's AI do in this run, should the own key fail.
    platform_grant: models.JSONField[list[str]] = models.JSONField(default=list, blank=True)
    # When the platform's AI first stood in for the own key; with it the audit log was told, once.
    platform_used_at = models.DateTimeField(null=True, blank=True)
    # When a worker was last told about this run. The sweep repeats what went unheard.
    nudged_at = models.DateTimeField(null=True, blank=True)
    # Of a run that a budget stopped: US dollars that the call which did not fit may cost.
    budget_needed = models.DecimalField(max_digits=20, decimal_places=12, null=True, blank=True)
    is_comparison = models.BooleanField(default=False)
    # The run that a comparison was started beside; kept when its draft is taken over.
    compared_with = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="comparisons"
    )
    # operation -> the model that a person chose for this run. Nothing stands in for it.
    chosen_models: models.JSONField[dict[str, str]] = models.JSONField(default=dict, blank=True)
    # When the run last went on by itself, because what had paused it was mended.
    auto_resumed_at = models.DateTimeField(null=True, blank=True)

    objects = WorkflowRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lead"],
                condition=Q(status__in=[status.value for status in OPEN], is_comparison=False),
                name="one_open_run_per_lead",
            ),
            models.UniqueConstraint(
                fields=["lead"],
                condition=Q(status__in=[status.value for status in OPEN], is_comparison=True),
                name="one_open_comparison_per_lead",
            ),
        ]
        indexes = [
            models.Index(fields=["lead", "-created_at"], name="run_of_lead"),
            models.Index(
                fields=["nudged_at"],
                condition=Q(status__in=[status.value for status in ACTIVE]),
                name="run_active",
            ),
            models.Index(
                fields=["organization", "error_code"],
                condition=Q(status=RunStatus.PAUSED.value),
                name="run_paused",
            ),
            # Two counts of the usage page.
            models.Index(
                fields=["organization", "created_at"],
                condition=Q(category=Category.QUALIFIED.value),
                name="run_qualified",
            ),
            models.Index(
                fields=["organization", "finished_at"],
                condition=Q(finished_at__isnull=False),
                name="run_over",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({self.status})"

    @property
    def models_in_words(self) -> list[str]:
        """The models that were chosen for this run, each once."""
        return list(dict.fromkeys(self.chosen_models.values()))

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def may_resume(self) -> bool:
        return self.status in (RunStatus.PAUSED, RunStatus.FAILED)

    @property
    def may_cancel(self) -> bool:
        return self.is_active or self.status == RunStatus.PAUSED

    @property
    def qualification(self) -> Qualification | None:
        """The stored verdict, or None before the qualification step has succeeded."""
        if not self.category or self.confidence is None:
            return None
        reasons = tuple(QuotedReason(**reason) for reason in self.reasons)
        return Qualification(Category(self.category), self.reason, self.confidence, reasons)


class Step(models.Model):
    """One step of a run. `lease_token` belongs to the worker that runs it, until `lease_expires_at`."""

    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=20, choices=StepName.choices)
    position = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=StepStatus.choices, default=StepStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Attempts whose worker died.
    workers_lost = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_sentence = models.TextField(blank=True)
    # Whether the last attempt ended on the platform's AI because the own key failed, and why:
    # the trouble's code, and the reason as it follows "because".
    on_platform = models.BooleanField(default=False)
    platform_code = models.CharField(max_length=40, blank=True)
    platform_reason = models.TextField(blank=True)
    # The prompt of the last attempt ("default v1", "own v3") and the SHA-256 of its text.
    prompt_version = models.CharField(max_length=40, blank=True)
    prompt_digest = models.CharField(max_length=64, blank=True)
    # The model that the last attempt ended on, and the one that it was meant for; where they differ the
    # trouble's code, and the reason as it follows "because". All empty before the first attempt has ended.
    model = models.CharField(max_length=200, blank=True)
    meant_model = models.CharField(max_length=200, blank=True)
    model_code = models.CharField(max_length=40, blank=True)
    model_reason = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name"], name="one_row_per_step"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.run_id}"

    @property
    def on_other_model(self) -> bool:
        """Whether another model than the one that was meant did it, or was the last to fail."""
        return self.model != self.meant_model

    @property
    def duration(self) -> timedelta | None:
        """How long the last attempt took; None while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


def found_by_research(steps: Iterable[Step]) -> dict[str, Any]:
    """What the research among the steps of a run has found (`report`, `sources`, `tool_calls`, …); empty before."""
    return next((step.result for step in steps if step.name == StepName.RESEARCH and step.result), {})
