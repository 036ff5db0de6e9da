"""Two runs of a lead side by side, as the page of a comparison shows them: words and figures, no markup."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from leadagent.leads.models import EmailDraft, Qualification, Step, StepName, WorkflowRun, found_by_research
from leadagent.leads.running.progress import Pill, StepLine, category_pill, step_lines
from leadagent.leads.text_diff import Piece, compare
from usage.analytics.runs import RunFigures, figures_of_runs
from usage.formats import money

NOT_KEPT = "not kept"
NOT_YET = "not yet"
# Operations whose calls belong to a step: research searches the knowledge base on its way.
_BOOKED_AS = {
    StepName.RESEARCH: ("research", "embedding"),
    StepName.QUALIFICATION: ("qualification",),
    StepName.EMAIL_GENERATION: ("email_generation",),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    run: WorkflowRun
    steps: list[Step]
    lines: list[StepLine]
    draft: EmailDraft | None
    report: str
    verdict: Qualification | None
    pill: Pill | None
    figures: dict[str, RunFigures]

    def step(self, name: StepName) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    def seconds(self, *names: StepName) -> float | None:
        """How long the named steps took; None before all of them have ended."""
        found = [step.duration for name in names if (step := self.step(name)) is not None]
        known = [duration.total_seconds() for duration in found if duration is not None]
        return sum(known) if len(known) == len(names) else None

    def figures_of(self, *names: StepName) -> RunFigures:
        booked = [operation for name in names for operation in _BOOKED_AS[name]]
        return sum((self.figures.get(operation, RunFigures()) for operation in booked), RunFigures())


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both runs, in words; `difference` is empty where there is none to tell."""

    label: str
    first: str
    second: str
    difference: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one step, or of all."""

    label: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` is the run that was there before, `second` the comparison. `email` holds the pieces of both drafts."""

    first: Side
    second: Side
    groups: list[Group]
    subject: list[Piece]
    email: list[Piece]
    fingerprint: str

    @property
    def is_moving(self) -> bool:
        return self.second.run.is_active


def comparison_of(run: WorkflowRun) -> Comparison | None:
    """The comparison with the run that it was started beside; None where that one is gone. A handful of queries."""
    first = run.compared_with
    if first is None:
        return None
    organization = run.organization
    figures = figures_of_runs(organization, [first.pk, run.pk], since=min(first.created_at, run.created_at))
    one, two = (_side(each, figures.get(each.pk, {})) for each in (first, run))
    subject: list[Piece] = []
    email: list[Piece] = []
    has_both = one.draft is not None and two.draft is not None
    if one.draft is not None and two.draft is not None:
        subject = compare(one.draft.original_subject, two.draft.original_subject)
        email = compare(one.draft.original_body, two.draft.original_body)
    groups = [_group("All steps", one, two, *StepName)]
    groups += [_group(str(name.label), one, two, name) for name in StepName]
    parts = [str(has_both), run.status, run.updated_at.isoformat(), str(first.status)]
    parts += [f"{step.status}{step.attempts}" for side in (one, two) for step in side.steps]
    parts += [f"{row.first}{row.second}" for group in groups for row in group.rows]
    fingerprint = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    return Comparison(one, two, groups, subject, email, fingerprint)


def _side(run: WorkflowRun, figures: dict[str, RunFigures]) -> Side:
    steps = list(run.steps.all())
    found = found_by_research(steps)
    return Side(
        run=run,
        steps=steps,
        lines=step_lines(run, steps),
        draft=EmailDraft.objects.filter(run=run).first(),
        report=str(found.get("report", "")),
        verdict=run.qualification,
        pill=category_pill(run.category),
        figures=figures,
    )


def _group(label: str, one: Side, two: Side, *names: StepName) -> Group:
    rows = []
    if len(names) == 1:
        rows.append(Row("Model", _model(one, names[0]), _model(two, names[0]), is_code=True))
    figures = [side.figures_of(*names) for side in (one, two)]
    seconds = [side.seconds(*names) for side in (one, two)]
    tokens = [each.tokens if each.calls else None for each in figures]
    rows.append(Row("Tokens", _count(tokens[0], one), _count(tokens[1], two), _change(tokens[0], tokens[1], "{:+,}")))
    rows.append(Row("Seconds", _long(seconds[0]), _long(seconds[1]), _change(seconds[0], seconds[1], "{:+.1f} s")))
    costs = [figure.cost if figure.calls else None for figure in figures]
    rows.append(Row("Cost", _cost(figures[0], one), _cost(figures[1], two), _cost_change(costs[0], costs[1], figures)))
    return Group(label, rows)


def _model(side: Side, name: StepName) -> str:
    step = side.step(name)
    return (step.model if step else "") or side.run.chosen_models.get(name, "") or _untold(side)


def _count(value: int | None, side: Side) -> str:
    return f"{value:,}" if value is not None else _untold(side)


def _long(seconds: float | None) -> str:
    return f"{seconds:.1f}" if seconds is not None else NOT_YET


def _untold(side: Side) -> str:
    """Why there is no figure of this run's calls."""
    return NOT_YET if side.run.is_active else NOT_KEPT


def _change(first: float | None, second: float | None, form: str) -> str:
    if first is None or second is None:
        return ""
    return form.format(second - first) if round(second - first, 1) else "the same"


def _cost(figures: RunFigures, side: Side) -> str:
    """The sum, and how far it is known: actual where nothing is said."""
    if not figures.calls:
        return _untold(side)
    notes = []
    if figures.estimated:
        notes.append("estimated" if not figures.actual else f"{money(figures.estimated)} of it estimated")
    if figures.unpriced and figures.cost is not None:
        notes.append(f"{figures.unpriced} call{'s' if figures.unpriced > 1 else ''} unknown")
    return f"{money(figures.cost)} ({', '.join(notes)})" if notes else money(figures.cost)


def _cost_change(first: Decimal | None, second: Decimal | None, figures: list[RunFigures]) -> str:
    if first is None or second is None:
        return ""
    if any(figure.unpriced for figure in figures):
        return "not comparable"
    change = second - first
    sign = "+" if change > 0 else ""
    share = f", {change / first:+.0%}" if first and change else ""
    return f"{sign}{money(change)}{share}" if change else "the same"
