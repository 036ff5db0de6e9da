"""How the adoption page shows a figure: numbers with their units, tables with bars, sections of both. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from byok.adoption import sums

NO_DATA = "no data yet"


class Unit(StrEnum):
    COUNT = "count"
    SHARE = "share"
    MEAN = "mean"
    DAYS = "days"
    USD = "USD"
    USD_EACH = "USD per request"
    MILLISECONDS = "ms"
    MICROSECONDS = "µs"


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its unit; None is what is not known or was never there. Shares are between 0 and 1."""

    number: Decimal | float | None
    unit: Unit = Unit.COUNT

    @property
    def is_known(self) -> bool:
        return self.number is not None

    @property
    def text(self) -> str:
        number = self.number
        if number is None:
            return NO_DATA
        match self.unit:
            case Unit.SHARE:
                return f"{number:.1%}"
            case Unit.MEAN:
                return f"{number:,.1f}"
            case Unit.DAYS:
                return _time_span(float(number) * 24 * 60)
            case Unit.USD:
                return f"${number:,.2f}"
            case Unit.USD_EACH:
                return f"${number:,.6f}"
            case Unit.MILLISECONDS | Unit.MICROSECONDS:
                return f"{number:,.1f} {self.unit}"
        return f"{number:,.0f}"


def _time_span(minutes: float) -> str:
    """In the unit in which it is read most easily."""
    if minutes < 1:
        return "under a minute"
    if minutes < 120:
        return f"{minutes:,.0f} minutes" if round(minutes) != 1 else "1 minute"
    return f"{minutes / 60:,.1f} hours" if minutes < 48 * 60 else f"{minutes / 60 / 24:,.1f} days"


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: Value
    # One sentence: how it is computed.
    how: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a chart: `bar` (0 to 1) is drawn beside the values; None draws nothing."""

    label: str
    values: Sequence[Value]
    bar: float | None = None

    @property
    def bar_width(self) -> str:
        """For SVG, which takes lengths as text."""
        return f"{max(0.0, min(1.0, self.bar or 0.0)) * 100:.2f}%"


@dataclass(frozen=True, slots=True)
class Chart:
    """A table with a bar per row. `headers` name the label's column and one per value."""

    title: str
    how: str
    headers: Sequence[str]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    figures: Sequence[Figure]
    charts: Sequence[Chart] = ()


def share_line(label: str, part: int, whole: int) -> Line:
    share = sums.share(part, whole)
    return Line(label, [Value(part), Value(whole), Value(share, Unit.SHARE)], share)
