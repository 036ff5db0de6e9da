"""The organisation's own texts of the prompts, and which of them is in force."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from leadagent.leads.models.workflow import StepName
from leadagent.tenants.models import Organization, User


class PromptVersion(models.Model):
    """One text as an admin saved it. It never changes: a new text is a new version."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="prompt_versions")
    operation = models.CharField(max_length=20, choices=StepName.choices)
    number = models.PositiveIntegerField()
    text = models.TextField()
    # What its author says has changed.
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "operation", "number"], name="one_prompt_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} v{self.number}"


class PromptChoice(models.Model):
    """Which text of an operation is in force: one of the own versions, or without one the default.

    `revision` counts the changes of this choice: who changes it must have seen the newest.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="prompt_choices")
    operation = models.CharField(max_length=20, choices=StepName.choices)
    version = models.ForeignKey(PromptVersion, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "operation"], name="one_prompt_choice_per_operation"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} of {self.organization_id}"
