"""How much research one run may do: steps, tokens and US dollars, counted over all of its attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Count, Q, Sum

from byok.errors import AIError
from leadagent.leads.models import AgentStepKind, AgentStepState

if TYPE_CHECKING:
    from leadagent.leads.models import WorkflowRun

MOST_STEPS = 20
# Look-ups of a whole run. A single request may ask for any number of them.
MOST_LOOKUPS = 40
# From this part of a limit on the tools are put away, so that what is left goes into the report.
_WIND_UP = Decimal("0.8")


class Cap(Enum):
    """A limit. `setting` is the operator's name of it."""

    STEPS = ("step_cap", "RESEARCH_MAX_STEPS")
    TOKENS = ("token_cap", "RESEARCH_MAX_TOKENS")
    COST = ("cost_cap", "RESEARCH_MAX_COST")

    def __init__(self, code: str, setting: str) -> None:
        self.code = code
        self.setting = setting


class CapReached(AIError):
    """The run has used up one of its limits; `cap` says which. Trying again within the run does not help."""

    def __init__(self, cap: Cap, sentence: str, *, provider: str) -> None:
        super().__init__(cap.code, provider=provider, sentence=sentence)
        self.cap = cap


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits of one run; `cost` in US dollars."""

    steps: int
    tokens: int
    cost: Decimal


@dataclass(slots=True)
class Spent:
    """What a run has used. `unpriced` requests are in `cost` with an upper bound."""

    steps: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    lookups: int = 0


def caps() -> Caps:
    """The operator's limits."""
    return Caps(min(settings.RESEARCH_MAX_STEPS, MOST_STEPS), settings.RESEARCH_MAX_TOKENS, settings.RESEARCH_MAX_COST)


def spent_by(run: WorkflowRun) -> Spent:
    """What all attempts of a run have used so far. One query.

    A request that failed is no step, but counts in tokens and cost with what it may have used.
    """
    asked = Q(kind=AgentStepKind.MODEL)
    found = run.agent_steps.aggregate(
        steps=Count("pk", filter=asked & ~Q(state=AgentStepState.FAILED)),
        tokens=Sum("counted_tokens", filter=asked),
        cost=Sum("counted_cost", filter=asked),
        unpriced=Count("pk", filter=asked & Q(is_upper_bound=True)),
        lookups=Count("pk", filter=Q(kind=AgentStepKind.TOOL)),
    )
    return Spent(found["steps"], found["tokens"] or 0, found["cost"] or Decimal(0), found["unpriced"], found["lookups"])


def check(limits: Caps, spent: Spent, *, provider: str) -> None:
    """Raise `CapReached` if another request would go beyond a limit that is used up."""
    for cap, used_up, said in _questions(limits, spent):
        if used_up:
            raise CapReached(cap, _sentence(cap, said()), provider=provider)


def has_to_finish(limits: Caps, spent: Spent) -> bool:
    """Whether the next answer should be the report: the last step, or most of a limit gone."""
    return (
        spent.steps >= limits.steps - 1
        or spent.tokens >= limits.tokens * _WIND_UP
        or spent.cost >= limits.cost * _WIND_UP
        or spent.lookups >= MOST_LOOKUPS
    )


def _questions(limits: Caps, spent: Spent) -> list[tuple[Cap, bool, Callable[[], str]]]:
    return [
        (Cap.STEPS, spent.steps >= limits.steps, lambda: f"{limits.steps} steps"),
        (Cap.TOKENS, spent.tokens >= limits.tokens, lambda: f"{limits.tokens:,} tokens"),
        (Cap.COST, spent.cost >= limits.cost, lambda: f"${limits.cost}{_about_bounds(spent)}"),
    ]


def _about_bounds(spent: Spent) -> str:
    if not spent.unpriced:
        return ""
    requests = "one request" if spent.unpriced == 1 else f"{spent.unpriced} requests"
    return f" (the cost of {requests} is not known and counts with the most that it may be)"


def _sentence(cap: Cap, limit: str) -> str:
    return (
        f"The research used up this run's limit of {limit} before its report was written. Run it again for a fresh "
        f"start, or choose another model for research in the AI settings; whoever runs Lead Agent can raise the "
        f"limit ({cap.setting}) and the run can then be resumed."
    )
