"""What the agent of a run did, as the page of its lead shows it: words and figures, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from leadagent.leads.models import AgentStep, AgentStepKind, AgentStepState, RunStatus, WorkflowRun
from leadagent.leads.research.caps import caps
from usage.models import AIUsage

# Usage is stored within seconds; after this long, what is missing stays unknown.
_COUNTED_AFTER = timedelta(minutes=2)
_EMBEDDING_TOOL = "query_knowledge_base"
TOOL_LABELS = {
    "search": "Searched the web",
    "query_knowledge_base": "Searched the knowledge base",
    "fetch_url": "Read a page",
    "crm_search": "Looked into the CRM",
    "tech_stack_analysis": "Looked at the technology",
}


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One thing that the agent did. `tokens` and `cost` are None where unknown, and where a look-up has none.

    `has_cost`: it makes AI calls. `is_counting`: its usage is on the way.
    """

    label: str
    state: str
    kind: str
    arguments: str
    answer: str
    seconds: str
    tokens: int | None
    cost: Decimal | None
    has_cost: bool
    is_counting: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one agent did; `was_cut` when its worker was gone before the end."""

    number: int
    was_cut: bool
    lines: list[TraceLine]


@dataclass(frozen=True, slots=True)
class Trace:
    """All attempts of a run. `cost` sums what is known, `unknown` counts the calls whose cost is not."""

    attempts: list[Attempt]
    requests: int
    lookups: int
    tokens: int
    cost: Decimal
    unknown: int
    most_steps: int
    most_tokens: int
    most_cost: Decimal

    @property
    def fingerprint(self) -> str:
        """Changes whenever a line or a figure does."""
        states = ",".join(f"{line.state}{line.cost}" for attempt in self.attempts for line in attempt.lines)
        return f"{len(self.attempts)}:{states}:{self.tokens}"


def trace_of(run: WorkflowRun) -> Trace | None:
    """Everything that the run's agents did, oldest first; None before the first began. Two queries."""
    steps = list(run.agent_steps.all())
    if not steps:
        return None
    by_step = _usage_by_step(run, steps)
    lines = {step.pk: _line(run, step, by_step.get(step.pk, [])) for step in steps}
    attempts = [
        Attempt(
            number,
            any(step.state == AgentStepState.LOST for step in steps if step.attempt == number),
            [lines[step.pk] for step in steps if step.attempt == number],
        )
        for number in sorted({step.attempt for step in steps})
    ]
    limits = caps()
    billed = [line for line in lines.values() if line.has_cost]
    return Trace(
        attempts=attempts,
        requests=sum(step.kind == AgentStepKind.MODEL for step in steps),
        lookups=sum(step.kind == AgentStepKind.TOOL for step in steps),
        tokens=sum(line.tokens or 0 for line in lines.values()),
        cost=sum((line.cost for line in billed if line.cost is not None), Decimal(0)),
        unknown=sum(line.cost is None and not line.is_counting for line in billed),
        most_steps=limits.steps,
        most_tokens=limits.tokens,
        most_cost=limits.cost,
    )


def _usage_by_step(run: WorkflowRun, steps: Sequence[AgentStep]) -> dict[int, list[AIUsage]]:
    """The usage rows of each step: of its operation, begun while it was at work.

    An agent's requests follow each other, and its searches of the knowledge base do too: each
    row falls into one step. A row's time is its id's, which counts whole milliseconds.
    """
    rows = AIUsage.objects.filter(
        organization_id=run.organization_id,
        run_id=run.pk,
        operation__in=("research", "embedding"),
        created_at__gte=steps[0].started_at - timedelta(seconds=1),
        created_at__lte=max(step.finished_at or timezone.now() for step in steps),
    )
    found: dict[int, list[AIUsage]] = {}
    takers = {
        "research": [step for step in steps if step.kind == AgentStepKind.MODEL],
        "embedding": [step for step in steps if step.name == _EMBEDDING_TOOL],
    }
    for row in rows:
        begun = [
            step for step in takers[row.operation] if step.started_at - timedelta(milliseconds=1) <= row.created_at
        ]
        if begun:
            found.setdefault(max(begun, key=lambda step: step.started_at).pk, []).append(row)
    return found


def _line(run: WorkflowRun, step: AgentStep, rows: list[AIUsage]) -> TraceLine:
    is_model = step.kind == AgentStepKind.MODEL
    has_cost = is_model or step.name == _EMBEDDING_TOOL
    ended = step.finished_at or timezone.now()
    is_counting = has_cost and not rows and timezone.now() - ended < _COUNTED_AFTER
    tokens = sum(row.total_tokens for row in rows) if rows else None
    if tokens is None and is_model and step.state == AgentStepState.DONE:
        # The usage log has no detail of it: what the answer itself told.
        tokens = step.counted_tokens
    return TraceLine(
        label=f"Asked {step.name}" if is_model else TOOL_LABELS.get(step.name, step.name),
        state=_state(run, step),
        kind=step.kind,
        arguments=step.arguments,
        answer=step.answer,
        seconds=f"{(step.finished_at - step.started_at).total_seconds():.1f} s" if step.finished_at else "",
        tokens=tokens,
        cost=_sum_of(rows),
        has_cost=has_cost,
        is_counting=is_counting,
    )


def _sum_of(rows: list[AIUsage]) -> Decimal | None:
    costs = [row.cost for row in rows]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if rows and len(known) == len(costs) else None


def _state(run: WorkflowRun, step: AgentStep) -> str:
    """As `components/run_steps.html` names states; what stands open in a run that is over was cut off."""
    match step.state:
        case AgentStepState.DONE:
            return "done"
        case AgentStepState.FAILED:
            return "failed"
        case AgentStepState.LOST:
            return "stopped"
    return "running" if run.status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING) else "stopped"
