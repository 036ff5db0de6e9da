"""The dashboard's two charts, of cost and of tokens over time, each with the table of the same figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from usage.analytics import UsageTotals
from usage.analytics.forecast import Forecast
from usage.analytics.period import Period, days_in_words
from usage.formats import cents, money, tokens
from usage.report.charts import Chart, Point, bar_chart
from usage.utc_days import DAY

# From here on a bar is a week: more days cannot be told apart.
MOST_DAYS = 92


@dataclass(frozen=True, slots=True)
class Slot:
    """The sums of a day, or of the days of a week; `last` is in it."""

    first: date
    last: date
    totals: UsageTotals

    @property
    def in_words(self) -> str:
        if self.first == self.last:
            return f"{self.first:%a %-d %b}"
        return days_in_words(self.first, self.last, with_year=False)


def days_of(period: Period, by_day: Iterable[UsageTotals]) -> list[UsageTotals]:
    """Every day of the period in order, those without calls as zero."""
    known = {totals.day: totals for totals in by_day}
    days = [period.start + n * DAY for n in range(period.days)]
    return [known.get(day, UsageTotals(day=day)) for day in days]


def slots_of(period: Period, by_day: Iterable[UsageTotals]) -> list[Slot]:
    """The period's days in order, those without calls as zero; weeks where there are too many days."""
    days = days_of(period, by_day)
    size = 1 if len(days) <= MOST_DAYS else 7
    parts = [days[n : n + size] for n in range(0, len(days), size)]
    return [Slot(_day(part[0]), _day(part[-1]), UsageTotals.sum_of(part)) for part in parts]


def _day(totals: UsageTotals) -> date:
    assert totals.day is not None
    return totals.day


def cost_chart(period: Period, slots: list[Slot], forecast: Forecast | None) -> Chart:
    """Reported and estimated cost, a hatched cap where some is unknown, and what is expected of days to come."""
    points = [_cost_point(period, slot, forecast) for slot in slots]
    total = sum((slot.totals.known_cost for slot in slots), Decimal(0))
    name = f"Cost per {_unit(slots)}, {period.in_words}: {money(total)} in all"
    most = max(slots, key=lambda slot: slot.totals.known_cost)
    if total:
        name += f", most on {most.in_words} with {money(most.totals.known_cost)}"
    if forecast:
        name += f"; about {money(cents(forecast.cost))} by the end of the month"
    return bar_chart("cost", f"{name}.", points, write=_axis_money)


def token_chart(period: Period, slots: list[Slot]) -> Chart:
    """Tokens that went in and that came out."""
    points = [_token_point(period, slot) for slot in slots]
    total = sum(slot.totals.total_tokens for slot in slots)
    name = f"Tokens per {_unit(slots)}, {period.in_words}: {total:,} in all"
    most = max(slots, key=lambda slot: slot.totals.total_tokens)
    if total:
        name += f", most on {most.in_words} with {most.totals.total_tokens:,}"
    return bar_chart("tokens", f"{name}.", points, write=lambda amount: tokens(int(amount)))


def _cost_point(period: Period, slot: Slot, forecast: Forecast | None) -> Point:
    totals = slot.totals
    expected = forecast.days.get(slot.first) if forecast and slot.first == slot.last else None
    is_running = slot.first <= period.today <= slot.last
    if slot.first > period.today:
        said = f"about {money(cents(expected))} expected" if expected is not None else "still to come"
    else:
        said = money(totals.known_cost)
        if totals.actual_cost and totals.estimated_cost:
            said += f" ({money(totals.actual_cost)} reported, {money(totals.estimated_cost)} estimated)"
        said += " so far" if is_running else ""
        if totals.unpriced_requests:
            said += f"; {_calls(totals.unpriced_requests)} of unknown cost"
        if expected is not None and expected > totals.known_cost:
            said += f"; about {money(cents(expected))} expected"
    return Point(
        label=_label(slot),
        readout=f"{slot.in_words}: {said}",
        parts=[("actual", totals.actual_cost), ("estimated", totals.estimated_cost)],
        expected=expected,
        is_unknown=totals.unpriced_requests > 0,
        is_running=is_running,
    )


def _token_point(period: Period, slot: Slot) -> Point:
    totals = slot.totals
    is_running = slot.first <= period.today <= slot.last
    if slot.first > period.today:
        said = "still to come"
    else:
        said = f"{totals.total_tokens:,} tokens{' so far' if is_running else ''}"
        if totals.total_tokens:
            said += f" ({totals.all_input_tokens:,} in, {totals.output_tokens:,} out)"
    return Point(
        label=_label(slot),
        readout=f"{slot.in_words}: {said}",
        parts=[("input", totals.all_input_tokens), ("output", totals.output_tokens)],
        is_running=is_running,
    )


def _label(slot: Slot) -> str:
    return f"{slot.first:%-d %b}"


def _unit(slots: list[Slot]) -> str:
    return "week" if any(slot.last - slot.first > timedelta(0) for slot in slots) else "day"


def _axis_money(amount: Decimal) -> str:
    """Without cents where there are none."""
    written = money(amount)
    return written.removesuffix(".00") if amount >= 1 or not amount else written


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
