"""The days that a page or an answer is about: whole UTC days, half-open, with the days they are compared to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from urllib.parse import urlencode

from usage.utc_days import DAY, current_day, month_after

# As long as a chart can be read.
LONGEST = 366
# Nobody has used this product before, and PostgreSQL's days end where Python's do.
FIRST_DAY = date(2020, 1, 1)


class PeriodName(StrEnum):
    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    LAST_7_DAYS = "7-days"
    LAST_30_DAYS = "30-days"
    LAST_90_DAYS = "90-days"
    CUSTOM = "custom"


LABELS = {
    PeriodName.THIS_MONTH: "This month",
    PeriodName.LAST_MONTH: "Last month",
    PeriodName.LAST_7_DAYS: "7 days",
    PeriodName.LAST_30_DAYS: "30 days",
    PeriodName.LAST_90_DAYS: "90 days",
    PeriodName.CUSTOM: "Custom",
}


@dataclass(frozen=True, slots=True)
class Period:
    """`start` is in, `end` is not. `today` is the UTC day that is not over yet."""

    name: PeriodName
    start: date
    end: date
    today: date

    @property
    def last_day(self) -> date:
        return self.end - DAY

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def is_running(self) -> bool:
        """Today is in it, so that its figures still grow."""
        return self.start <= self.today < self.end

    @property
    def in_words(self) -> str:
        """A whole month as `November 2026`, other days as `days_in_words` has them."""
        if self.start.day == 1 and self.end == month_after(self.start):
            return f"{self.start:%B %Y}"
        return days_in_words(self.start, self.last_day)

    @property
    def query(self) -> str:
        """As the query of an address, without a question mark."""
        if self.name == PeriodName.CUSTOM:
            return _query_of_days(self.start, self.last_day)
        return urlencode({"period": self.name})

    @property
    def query_of_its_days(self) -> str:
        """The same days as a custom period, up to today: from them other ones are chosen."""
        return _query_of_days(self.start, self.today if self.is_running else self.last_day)

    @property
    def before(self) -> tuple[date, date]:
        """What it is compared to, half-open: as many days just before; for a month the month before.

        A month that is not over is compared to the same days of the month before, as far as that goes.
        """
        if self.name not in (PeriodName.THIS_MONTH, PeriodName.LAST_MONTH):
            return self.start - (self.end - self.start), self.start
        first = (self.start - DAY).replace(day=1)
        if not self.is_running:
            return first, self.start
        return first, min(first + (self.today + DAY - self.start), self.start)

    @property
    def before_in_words(self) -> str:
        start, end = self.before
        if start.day == 1 and end == month_after(start):
            return f"{start:%B}"
        # Without its year it would be taken for this one's.
        return days_in_words(start, end - DAY, with_year=start.year != self.today.year)


def _query_of_days(first: date, last: date) -> str:
    return urlencode({"period": PeriodName.CUSTOM, "start": first, "end": last})


def period_named(name: PeriodName, *, today: date | None = None) -> Period:
    """One of the periods that need no days."""
    today = today or current_day()
    month = today.replace(day=1)
    match name:
        case PeriodName.THIS_MONTH:
            start, end = month, month_after(month)
        case PeriodName.LAST_MONTH:
            start, end = (month - DAY).replace(day=1), month
        case PeriodName.LAST_7_DAYS | PeriodName.LAST_30_DAYS | PeriodName.LAST_90_DAYS:
            days = int(name.partition("-")[0])
            start, end = today - (days - 1) * DAY, today + DAY
        case PeriodName.CUSTOM:
            raise ValueError("This period is made of its days.")
    return Period(name, start, end, today)


def period_of_days(first: date, last: date, *, today: date | None = None) -> Period:
    """From the one day to the other, both included."""
    return Period(PeriodName.CUSTOM, first, last + DAY, today or current_day())


class BadPeriod(ValueError):
    """Days that no figures can be shown for; `field` is the one to blame (`start` or `end`)."""

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        super().__init__(sentence)


def check_days(first: date, last: date, *, today: date | None = None) -> None:
    """Raise `BadPeriod` unless these days can be shown: in order, not to come, and a year at most."""
    today = today or current_day()
    if first < FIRST_DAY:
        raise BadPeriod("start", f"Choose a day from {FIRST_DAY:%-d %B %Y} on.")
    if first > today:
        raise BadPeriod("start", "This day has not come yet.")
    if last < first:
        raise BadPeriod("end", "This day is before the first one.")
    if last > today:
        raise BadPeriod("end", f"This day has not come yet: today is {today:%-d %B} (UTC).")
    if (last - first).days >= LONGEST:
        raise BadPeriod("end", f"Choose {LONGEST} days at most.")


def days_in_words(first: date, last: date, *, with_year: bool = True) -> str:
    """The one day, or the first and the last; month and year only once where both have the same."""
    year = " %Y" if with_year else ""
    ending = f"{last:%-d %B{year}}"
    if first == last:
        return ending
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{ending}"
    return f"{first:%-d %B}{'' if first.year == last.year or not with_year else first.strftime(' %Y')}–{ending}"
