"""Periods and what they are compared to, at the turns of months and years, and what people may type."""

from datetime import date
from urllib.parse import parse_qsl

import pytest
import time_machine

from usage.analytics.period import Period, PeriodName, days_in_words, period_named, period_of_days
from usage.report.period_form import PeriodForm

TODAY = date(2026, 11, 26)


def iso(*days: date) -> tuple[str, ...]:
    return tuple(day.isoformat() for day in days)


@pytest.mark.parametrize(
    ("name", "today", "days", "before"),
    [
        ("this-month", TODAY, ("2026-11-01", "2026-12-01"), ("2026-10-01", "2026-10-27")),
        # The month before is shorter: there is no more of it than its end.
        ("this-month", date(2026, 3, 31), ("2026-03-01", "2026-04-01"), ("2026-02-01", "2026-03-01")),
        ("this-month", date(2027, 1, 1), ("2027-01-01", "2027-02-01"), ("2026-12-01", "2026-12-02")),
        ("last-month", TODAY, ("2026-10-01", "2026-11-01"), ("2026-09-01", "2026-10-01")),
        ("last-month", date(2027, 1, 31), ("2026-12-01", "2027-01-01"), ("2026-11-01", "2026-12-01")),
        ("7-days", TODAY, ("2026-11-20", "2026-11-27"), ("2026-11-13", "2026-11-20")),
        ("30-days", TODAY, ("2026-10-28", "2026-11-27"), ("2026-09-28", "2026-10-28")),
        ("90-days", TODAY, ("2026-08-29", "2026-11-27"), ("2026-05-31", "2026-08-29")),
    ],
)
def test_named_periods(name: str, today: date, days: tuple[str, str], before: tuple[str, str]) -> None:
    period = period_named(PeriodName(name), today=today)
    assert iso(period.start, period.end) == days
    assert iso(*period.before) == before
    assert dict(parse_qsl(period.query)) == {"period": name}


def test_days_of_ones_own_are_compared_to_as_many_before() -> None:
    period = period_of_days(date(2026, 2, 27), date(2026, 3, 1), today=TODAY)
    assert iso(period.start, period.end, *period.before) == ("2026-02-27", "2026-03-02", "2026-02-24", "2026-02-27")
    assert (period.days, period.is_running) == (3, False)
    assert dict(parse_qsl(period.query)) == {"period": "custom", "start": "2026-02-27", "end": "2026-03-01"}


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-26", "2026-11-26", "26 November 2026"),
        ("2026-11-01", "2026-11-24", "1–24 November 2026"),
        ("2026-10-28", "2026-11-24", "28 October–24 November 2026"),
        ("2025-12-30", "2026-01-02", "30 December 2025–2 January 2026"),
    ],
)
def test_days_in_words(first: str, last: str, words: str) -> None:
    assert days_in_words(date.fromisoformat(first), date.fromisoformat(last)) == words


def test_months_in_words() -> None:
    period = period_named(PeriodName.LAST_MONTH, today=TODAY)
    assert (period.in_words, period.before_in_words) == ("October 2026", "September")
    assert period_named(PeriodName.THIS_MONTH, today=TODAY).before_in_words == "1–26 October"
    last_year = period_of_days(date(2025, 11, 27), TODAY, today=TODAY).before_in_words
    assert last_year == "27 November 2024–26 November 2025"


def wanted(**data: str) -> Period:
    form = PeriodForm(data)
    assert form.is_valid(), form.errors
    return form.wanted()


@time_machine.travel("2026-11-26 23:59:59+00:00", tick=False)
def test_what_the_address_may_say() -> None:
    assert wanted() == period_named(PeriodName.THIS_MONTH, today=TODAY)
    assert wanted(period="7-days").start == date(2026, 11, 20)
    assert wanted(period="custom", start="2026-11-26", end="2026-11-26").days == 1
    assert wanted(period="custom", start="2025-11-26", end="2026-11-26").days == 366
    # Days beside a named period are of no matter.
    assert wanted(period="7-days", start="2026-01-01").days == 7


@time_machine.travel("2026-11-26 23:59:59+00:00", tick=False)
@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"period": "fortnight"}, "period", "no such period"),
        ({"period": "custom"}, "start", "Choose a day"),
        ({"period": "custom", "start": "2026-11-01"}, "end", "Choose a day"),
        ({"period": "custom", "start": "2026-11-31", "end": "2026-11-01"}, "start", "valid date"),
        ({"period": "custom", "start": "0001-01-01", "end": "2026-11-01"}, "start", "from 1 January 2020"),
        ({"period": "custom", "start": "2026-11-27", "end": "2026-11-28"}, "start", "not come yet"),
        ({"period": "custom", "start": "2026-11-20", "end": "2026-11-19"}, "end", "before the first"),
        ({"period": "custom", "start": "2026-11-20", "end": "2026-11-27"}, "end", "today is 26 November"),
        ({"period": "custom", "start": "2026-11-20", "end": "9999-12-31"}, "end", "not come yet"),
        ({"period": "custom", "start": "2025-11-25", "end": "2026-11-26"}, "end", "366 days at most"),
    ],
)
def test_what_it_may_not(data: dict[str, str], field: str, words: str) -> None:
    form = PeriodForm(data)
    assert not form.is_valid()
    # Two days that are not given are two errors.
    assert set(form.errors) == ({"start", "end"} if data == {"period": "custom"} else {field})
    assert words in " ".join(map(str, form.errors[field]))
