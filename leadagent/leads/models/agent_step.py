"""What the research agent did in a run, one row per request to the model and per look-up, written while it works."""

from __future__ import annotations

from django.db import models

from leadagent.leads.models.workflow import WorkflowRun


class AgentStepKind(models.TextChoices):
    MODEL = "model", "Model"
    TOOL = "tool", "Look-up"


class AgentStepState(models.TextChoices):
    RUNNING = "running", "At work"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    # The worker was gone before it ended.
    LOST = "lost", "Cut off"


class AgentStep(models.Model):
    """One thing that the agent did. `attempt` counts the agents that a run has had, dead workers' ones too.

    `counted_tokens` and `counted_cost` (US dollars) are what the run's limits count. Until the
    model has answered, and where its price is not known, they are upper bounds: what a person is
    shown comes from the usage rows.
    """

    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="agent_steps")
    attempt = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=5, choices=AgentStepKind.choices)
    state = models.CharField(max_length=7, choices=AgentStepState.choices, default=AgentStepState.RUNNING)
    # The tool, or the model as the provider knows it.
    name = models.CharField(max_length=200)
    arguments = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    counted_tokens = models.PositiveIntegerField(default=0)
    counted_cost = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    is_upper_bound = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["attempt", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "position"], name="one_agent_step_per_position"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state}) of {self.run_id}"
