"""What a month will have cost when it ends, from the days that are over.

A day to come is expected to cost what that weekday cost on average in the last four weeks. Where
there are fewer than four weeks of history, weekdays are not told apart: the average of the days so far
stands for each. Fewer than seven days of history, or a price unknown for more than one call in ten,
are too little to say anything. Today counts with what it cost so far or what is expected of it,
whichever is more. Only known costs are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from leadagent.tenants.models import Organization
from usage.analytics.stats import get_usage_by_day
from usage.analytics.totals import UsageTotals
from usage.utc_days import DAY, current_day, month_after

FOUR_WEEKS = 28
ENOUGH_DAYS = 7
# Of the calls, whose price may be unknown.
TOLERATED_UNKNOWN = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Forecast:
    """US dollars. `cost` is the whole month's, `days` what is expected of each day that is not over, today included."""

    month: date
    cost: Decimal
    days: Mapping[date, Decimal]
    by_weekday: bool


def days_needed(today: date) -> tuple[date, date]:
    """The days (half-open) whose sums `forecast_month` wants: four weeks back, and the whole month so far."""
    return min(today - FOUR_WEEKS * DAY, today.replace(day=1)), today + DAY


def get_month_forecast(organization: Organization, *, today: date | None = None) -> Forecast | None:
    """The current UTC month of an organisation; None where there is too little to go by. One query."""
    today = today or current_day()
    return forecast_month(get_usage_by_day(organization, *days_needed(today)), today=today)


def forecast_month(days: Iterable[UsageTotals], *, today: date) -> Forecast | None:
    """The same from the sums of the days that `days_needed` names; days without calls may be missing."""
    known = {day.day: day for day in days if day.day is not None}
    over = [day for day in known if day < today and day >= today - FOUR_WEEKS * DAY]
    if not over or (today - min(over)).days < ENOUGH_DAYS or _too_much_unknown([known[day] for day in over]):
        return None
    costs = {day: totals.known_cost for day, totals in known.items()}
    # Four of each weekday, when calls were made in the first of the four weeks already.
    by_weekday = (today - min(over)).days > FOUR_WEEKS - 7
    history = FOUR_WEEKS if by_weekday else (today - min(over)).days
    past = [today - n * DAY for n in range(1, history + 1)]
    month, end = today.replace(day=1), month_after(today.replace(day=1))
    expected: dict[date, Decimal] = {}
    for day in _days(today, end):
        alike = [costs.get(other, Decimal(0)) for other in past if not by_weekday or other.weekday() == day.weekday()]
        expected[day] = sum(alike, Decimal(0)) / len(alike)
    expected[today] = max(expected[today], costs.get(today, Decimal(0)))
    spent = sum((costs.get(day, Decimal(0)) for day in _days(month, today)), Decimal(0))
    return Forecast(month, spent + sum(expected.values(), Decimal(0)), expected, by_weekday)


def _too_much_unknown(days: list[UsageTotals]) -> bool:
    unknown, requests = sum(day.unpriced_requests for day in days), sum(day.requests for day in days)
    return unknown > TOLERATED_UNKNOWN * requests


def _days(start: date, end: date) -> list[date]:
    return [start + n * DAY for n in range((end - start).days)]
