"""Bar charts over time as numbers for a template: where each mark is, and what it says in words.

Across, places are percentages, so that a chart fits any width while its letters keep their size; up
and down they are pixels. An axis begins at zero and ends at a round number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

# Pixels: of the bars, of what is free above them, and of the hatched cap that stands for an unknown sum.
HEIGHT = 160
TOP = 10
CAP = 7
_STEPS = 4
_ROUND = tuple(map(Decimal, ("1", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")))
_MOST_LABELS = 6
# The part of its place that a bar fills.
_FILL = Decimal("0.72")

Amount = Decimal | int
Format = Callable[[Decimal], str]


@dataclass(frozen=True, slots=True)
class Point:
    """One day (or week). `parts` are stacked from below, each with the class of its colour.

    `expected`: what a day that is not over is expected to come to. `is_unknown`: there is more that nobody told us.
    """

    label: str
    readout: str
    parts: Sequence[tuple[str, Amount]]
    expected: Amount | None = None
    is_unknown: bool = False
    is_running: bool = False

    @property
    def top(self) -> Decimal:
        known = sum((Decimal(amount) for _, amount in self.parts), Decimal(0))
        return max(known, Decimal(self.expected or 0))


@dataclass(frozen=True, slots=True)
class Mark:
    kind: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`x` and `width` are of the bar, `place` and `place_width` of all that belongs to its day."""

    x: str
    width: str
    place: str
    place_width: str
    marks: list[Mark]
    readout: str
    is_running: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line across, with what it stands for."""

    y: str
    label: str


@dataclass(frozen=True, slots=True)
class DayLabel:
    """A day below its bar. Where it is narrow, those that are `minor` are left out."""

    x: str
    text: str
    anchor: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """`id` is unique on the page; `name` says in a sentence what one would see."""

    id: str
    name: str
    bars: list[Bar]
    lines: list[Line]
    labels: list[DayLabel]
    height: int = HEIGHT + TOP
    # With room for the labels below.
    full_height: int = HEIGHT + TOP + 24


def bar_chart(chart_id: str, name: str, points: Sequence[Point], *, write: Format) -> Chart:
    """A chart of the points from left to right; `write` puts an amount on the axis."""
    most = max((point.top for point in points), default=Decimal(0))
    step = round_step(most / _STEPS)
    top = step * _STEPS
    place = Decimal(100) / max(len(points), 1)
    return Chart(
        id=chart_id,
        name=name,
        bars=[_bar(point, place * n, place, top) for n, point in enumerate(points)],
        lines=[Line(_y(step * n, top), write(step * n)) for n in range(_STEPS + 1)],
        labels=_labels(points, place),
    )


def round_step(least: Decimal) -> Decimal:
    """The smallest round number that is not below `least`; 1 for nothing."""
    if least <= 0:
        return Decimal(1)
    ten = Decimal(1).scaleb(least.adjusted())
    return next(ten * factor for factor in _ROUND if ten * factor >= least)


def _bar(point: Point, left: Decimal, place: Decimal, top: Decimal) -> Bar:
    marks, reached = [], Decimal(0)
    for kind, amount in point.parts:
        if amount:
            marks.append(Mark(kind, _y(reached + amount, top), _pixels(Decimal(amount) / top * HEIGHT)))
            reached += amount
    if point.expected is not None and point.expected > reached:
        height = (Decimal(point.expected) - reached) / top * HEIGHT
        marks.append(Mark("expected", _y(Decimal(point.expected), top), _pixels(height)))
    if point.is_unknown:
        marks.append(Mark("unknown", _pixels(Decimal(_y(reached, top)) - CAP), str(CAP)))
    return Bar(
        x=_percent(left + place * (1 - _FILL) / 2),
        width=_percent(place * _FILL),
        place=_percent(left),
        place_width=_percent(place),
        marks=marks,
        readout=point.readout,
        is_running=point.is_running,
    )


def _labels(points: Sequence[Point], place: Decimal) -> list[DayLabel]:
    if not points:
        return []
    apart = -(-len(points) // _MOST_LABELS)
    found = []
    for n in range(0, len(points), apart):
        # The first stands at the edge; the others below the middle of their bars.
        x, anchor = (
            (Decimal(0), "start") if n == 0 and len(points) > _MOST_LABELS else (place * n + place / 2, "middle")
        )
        found.append(DayLabel(_percent(x), points[n].label, anchor, is_minor=bool(n // apart % 2)))
    return found


def _y(amount: Amount, top: Decimal) -> str:
    return _pixels(TOP + HEIGHT - Decimal(amount) / top * HEIGHT)


def _pixels(value: Decimal) -> str:
    return f"{value:.1f}"


def _percent(value: Decimal) -> str:
    return f"{value:.2f}%"
