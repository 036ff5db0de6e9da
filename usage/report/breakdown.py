"""The dashboard's lists: who has which part of cost or requests, and how each model answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from usage.analytics import ModelLatency, UsageTotals, share
from usage.formats import money, percent

# More lines than that are summed up in one.
MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class BarLine:
    """As `components/bar_list.html` takes it: `width` of the bar in percent, `share` and `figure` in words."""

    label: str
    width: str
    share: str
    figure: str
    note: str = ""
    is_unknown: bool = False
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model's sums with how long it takes to answer; no latency where it never answered."""

    totals: UsageTotals
    latency: ModelLatency | None


def by_cost(groups: Sequence[UsageTotals], label: Callable[[UsageTotals], str]) -> list[BarLine]:
    """Shares of the known cost, in the order given; where nothing cost anything, there are no shares."""
    whole = sum((group.known_cost for group in groups), Decimal(0))
    lines = []
    for group in groups:
        part = share(group.known_cost, whole)
        lines.append(
            BarLine(
                label=label(group),
                width=_width(part),
                share=percent(part) if part is not None and group.cost is not None else "–",
                figure=money(group.cost),
                note=_unknown_note(group),
                is_unknown=group.unpriced_requests > 0,
            )
        )
    return lines


def by_requests(groups: Sequence[UsageTotals], label: Callable[[UsageTotals], str]) -> list[BarLine]:
    """Shares of the requests; what comes after the first lines is summed up in the last."""
    whole = sum(group.requests for group in groups)
    shown, rest = _most(groups)
    lines = [_request_line(label(group), group.requests, whole, is_code=True) for group in shown]
    if rest:
        lines.append(_request_line(f"{len(rest)} more", sum(group.requests for group in rest), whole))
    return lines


def by_failures(groups: Sequence[UsageTotals], label: Callable[[UsageTotals], str]) -> list[BarLine]:
    """Shares of the failed calls."""
    whole = sum(group.failures for group in groups)
    return [_request_line(label(group), group.failures, whole) for group in groups]


def model_lines(models: Iterable[UsageTotals], latencies: Iterable[ModelLatency]) -> list[ModelLine]:
    """The models in their order, each with its latency."""
    known = {(line.provider, line.model): line for line in latencies}
    return [ModelLine(model, known.get((model.provider, model.model))) for model in models]


def _most(groups: Sequence[UsageTotals]) -> tuple[Sequence[UsageTotals], Sequence[UsageTotals]]:
    if len(groups) <= MOST_LINES:
        return groups, []
    return groups[: MOST_LINES - 1], groups[MOST_LINES - 1 :]


def _request_line(label: str, requests: int, whole: int, *, is_code: bool = False) -> BarLine:
    part = share(requests, whole)
    return BarLine(label, _width(part), percent(part), f"{requests:,}", is_code=is_code)


def _width(part: Decimal | None) -> str:
    return f"{(part or Decimal(0)) * 100:.2f}%"


def _unknown_note(group: UsageTotals) -> str:
    unpriced = group.unpriced_requests
    if not unpriced:
        return ""
    return f"{unpriced:,} call{'' if unpriced == 1 else 's'} of unknown cost not in it"
