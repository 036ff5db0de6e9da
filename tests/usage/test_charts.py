"""Where marks are: from zero, in proportion, and what they say in words."""

from datetime import date
from decimal import Decimal

import pytest

from usage.analytics import UsageTotals
from usage.analytics.forecast import Forecast
from usage.analytics.period import PeriodName, period_named, period_of_days
from usage.report.charts import HEIGHT, TOP, Point, bar_chart, round_step
from usage.report.over_time import cost_chart, slots_of, token_chart

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("least", "step"),
    [
        ("0", "1"),
        ("0.11", "0.15"),
        ("1", "1"),
        ("1.01", "1.5"),
        ("41000", "50000"),
        ("0.00009", "0.0001"),
        ("9.1", "10"),
    ],
)
def test_steps_are_round(least: str, step: str) -> None:
    assert round_step(Decimal(least)) == Decimal(step)


def test_bars_stand_on_zero_in_proportion() -> None:
    points = [
        Point("1 Nov", "one", [("actual", Decimal(4)), ("estimated", Decimal(2))]),
        Point("2 Nov", "two", [("actual", Decimal(0)), ("estimated", Decimal(0))], is_unknown=True),
        Point("3 Nov", "three", [("actual", Decimal(1)), ("estimated", Decimal(0))], expected=Decimal(3)),
    ]
    chart = bar_chart("c", "Name.", points, write=str)
    assert [line.label for line in chart.lines] == ["0.0", "1.5", "3.0", "4.5", "6.0"]
    assert float(chart.lines[0].y) == TOP + HEIGHT
    first, second, third = (
        [(mark.kind, float(mark.y), float(mark.height)) for mark in bar.marks] for bar in chart.bars
    )
    assert [kind for kind, *_ in first] == ["actual", "estimated"]
    assert [value for _, *values in first for value in values] == pytest.approx(
        [TOP + HEIGHT / 3, HEIGHT * 2 / 3, TOP, HEIGHT / 3], abs=0.06
    )
    assert [kind for kind, *_ in second] == ["unknown"]
    assert [kind for kind, *_ in third] == ["actual", "expected"]
    # The expected part stands on what was spent.
    assert third[1][1] + third[1][2] == pytest.approx(third[0][1], abs=0.11)


def totals(day: int, **fields: object) -> UsageTotals:
    return UsageTotals(day=date(2026, 11, day), requests=3, **fields)  # type: ignore[arg-type]


def test_every_day_is_there_and_says_its_figures() -> None:
    period = period_named(PeriodName.THIS_MONTH, today=TODAY)
    by_day = [
        totals(2, actual_cost=Decimal("0.12"), estimated_cost=Decimal("0.03"), unpriced_requests=2),
        totals(
            26, actual_cost=Decimal("0.05"), input_tokens=7, cached_input_tokens=3, output_tokens=5, total_tokens=15
        ),
    ]
    slots = slots_of(period, by_day)
    expected = {TODAY: Decimal("0.1"), date(2026, 11, 27): Decimal("0.123")}
    forecast = Forecast(date(2026, 11, 1), Decimal("0.5"), expected, by_weekday=True)
    chart = cost_chart(period, slots, forecast)
    said = [bar.readout for bar in chart.bars]
    assert len(said) == 30
    assert said[0] == "Sun 1 Nov: $0.00"
    assert said[1] == "Mon 2 Nov: $0.15 ($0.12 reported, $0.030 estimated); 2 calls of unknown cost"
    assert said[25] == "Thu 26 Nov: $0.050 so far; about $0.10 expected"
    assert said[26] == "Fri 27 Nov: about $0.12 expected"
    assert said[27] == "Sat 28 Nov: still to come"
    assert [bar.is_running for bar in chart.bars].index(True) == 25
    assert chart.name == (
        "Cost per day, November 2026: $0.20 in all, most on Mon 2 Nov with $0.15; about $0.50 by the end of the month."
    )
    assert token_chart(period, slots).bars[25].readout == "Thu 26 Nov: 15 tokens so far (10 in, 5 out)"


def test_many_days_are_weeks() -> None:
    period = period_of_days(date(2026, 1, 1), date(2026, 4, 9), today=TODAY)
    day = UsageTotals(day=date(2026, 1, 8), requests=1, actual_cost=Decimal(1), successes=1)
    slots = slots_of(period, [day, UsageTotals(day=date(2026, 1, 14), requests=2, actual_cost=Decimal(2))])
    assert len(slots) == 15
    assert (slots[-1].first, slots[-1].last) == (date(2026, 4, 9), date(2026, 4, 9))
    assert (slots[1].totals.requests, slots[1].totals.actual_cost, slots[1].in_words) == (
        3,
        Decimal(3),
        "8–14 January",
    )
    assert cost_chart(period, slots, None).name.startswith("Cost per week, 1 January–9 April 2026: $3.00 in all")


def test_a_period_without_calls_has_a_chart() -> None:
    period = period_named(PeriodName.LAST_7_DAYS, today=TODAY)
    chart = cost_chart(period, slots_of(period, []), None)
    assert chart.name == "Cost per day, 20–26 November 2026: $0.00 in all."
    assert not any(bar.marks for bar in chart.bars)
