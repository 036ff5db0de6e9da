"""Writing down what the agent does, while it does it: a row when something begins, and the same row when it ends.

The rows are what the page of the lead shows live, and what the run's limits are counted by:
a worker that dies takes nothing of that with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from byok.pricing import Pricing, TokenBuckets, get_pricing
from leadagent.leads.models import AgentStep, AgentStepKind, AgentStepState
from leadagent.leads.research.caps import Spent, spent_by
from leadagent.leads.research.told import asked, told
from leadagent.leads.text import clean, one_line

if TYPE_CHECKING:
    from byok.resolver import TenantModel
    from leadagent.leads.models import WorkflowRun

ARGUMENTS_LIMIT = 600
ANSWER_LIMIT = 1_500
# What stands in for the answer of a request that was cut off.
_LOST_OUTPUT = 8_192
# US dollars per token, above what most chat models cost in 2026: stand in for a price that is not known.
_DEAR_INPUT = Decimal("0.000010")
_DEAR_OUTPUT = Decimal("0.000050")


@dataclass(frozen=True, slots=True)
class Counted:
    """What one request counts with against the run's limits."""

    tokens: int
    cost: Decimal
    is_upper_bound: bool


class Journal:
    """One attempt of an agent. Every method asks the database: call them on the thread that owns the connection."""

    def __init__(self, run: WorkflowRun, model: TenantModel) -> None:
        self._run = run
        self._model = model
        self._pricing: Pricing | None = get_pricing(
            model.provider, model.model_id, organization=run.organization if model.is_customer_key else None
        )
        self._position = 0
        self._attempt = self._begin()
        self.spent: Spent = spent_by(run)

    def _begin(self) -> int:
        """The number of this attempt. What an earlier one has left open was cut off."""
        steps = self._run.agent_steps
        with transaction.atomic():
            steps.filter(state=AgentStepState.RUNNING).update(state=AgentStepState.LOST, finished_at=timezone.now())
            return int(steps.aggregate(last=Max("attempt"))["last"] or 0) + 1

    def asking(self, prompt_bytes: int) -> AgentStep:
        """A request to the model is about to leave; should it be cut off, this is what it counts with."""
        held = self._price(TokenBuckets(uncached_input=prompt_bytes // 2, output=_LOST_OUTPUT))
        self.spent.steps += 1
        return self._open(AgentStepKind.MODEL, self._model.model_id, "", held)

    def answered(self, step: AgentStep, text: str, tokens: TokenBuckets | None, *, told_cost: Decimal | None) -> None:
        """The model has answered.

        `tokens`: None where the answer states what cannot be; then what was held for the request counts.
        `told_cost`: what the provider itself says that it cost, where it says so.
        """
        counted = self._price(tokens) if tokens else Counted(step.counted_tokens, step.counted_cost, True)
        if told_cost is not None:
            counted = Counted(counted.tokens, told_cost, False)
        self.spent.tokens += counted.tokens
        self.spent.cost += counted.cost
        self.spent.unpriced += counted.is_upper_bound
        self._close(step, AgentStepState.DONE, text, counted)

    def refused(self, step: AgentStep, text: str, *, was_billed: bool) -> None:
        """The model gave no answer. Unless `was_billed` can be ruled out, the request keeps counting."""
        self.spent.steps -= 1
        self._close(step, AgentStepState.FAILED, text, None if was_billed else Counted(0, Decimal(0), False))

    def looking_up(self, tool: str, arguments: dict[str, Any]) -> AgentStep:
        """A tool is about to work; whoever lets it has counted it in `spent` already."""
        return self._open(AgentStepKind.TOOL, tool, asked(arguments), None)

    def looked_up(self, step: AgentStep, answer: str, *, failed: bool = False) -> None:
        """The tool has answered."""
        self._close(step, AgentStepState.FAILED if failed else AgentStepState.DONE, told(answer), None)

    def _open(self, kind: AgentStepKind, name: str, arguments: str, counted: Counted | None) -> AgentStep:
        self._position += 1
        return AgentStep.objects.create(
            run=self._run,
            attempt=self._attempt,
            position=self._position,
            kind=kind,
            name=one_line(name, limit=200),
            arguments=one_line(arguments, limit=ARGUMENTS_LIMIT),
            counted_tokens=counted.tokens if counted else 0,
            counted_cost=counted.cost if counted else Decimal(0),
            is_upper_bound=counted.is_upper_bound if counted else False,
            started_at=timezone.now(),
        )

    def _close(self, step: AgentStep, state: AgentStepState, answer: str, counted: Counted | None) -> None:
        step.state, step.finished_at = state, timezone.now()
        step.answer = clean(answer)[:ANSWER_LIMIT]
        fields = ["state", "finished_at", "answer"]
        if counted is not None:
            step.counted_tokens, step.counted_cost = counted.tokens, counted.cost
            step.is_upper_bound = counted.is_upper_bound
            fields += ["counted_tokens", "counted_cost", "is_upper_bound"]
        step.save(update_fields=fields)

    def _price(self, tokens: TokenBuckets) -> Counted:
        total = tokens.whole_input + tokens.output
        cost = self._pricing.cost(tokens) if self._pricing is not None else None
        if cost is None:
            cost = _DEAR_INPUT * tokens.whole_input + _DEAR_OUTPUT * tokens.output
            return Counted(total, cost, True)
        return Counted(total, cost, False)
