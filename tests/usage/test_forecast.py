"""What a month is expected to cost, against sums made by hand. 26 November 2026 is a Thursday."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from leadagent.tenants.models import Organization
from tests.usage.factories import finished, store
from usage.analytics import UsageTotals
from usage.analytics.forecast import days_needed, forecast_month, get_month_forecast

TODAY = date(2026, 11, 26)
# 27 to 30 November: Friday, Saturday, Sunday, Monday.
TO_COME = [date(2026, 11, day) for day in (27, 28, 29, 30)]


def day(days_ago: int, cost: str, *, unpriced: int = 0, requests: int = 10) -> UsageTotals:
    return UsageTotals(
        day=TODAY - timedelta(days=days_ago), requests=requests, actual_cost=Decimal(cost), unpriced_requests=unpriced
    )


def is_weekend(moment: date) -> bool:
    return moment.weekday() >= 5


def test_each_weekday_is_expected_as_in_the_last_four_weeks() -> None:
    past = [TODAY - timedelta(days=n) for n in range(1, 29)]
    # Weekdays cost 2, Mondays 3, weekends nothing, not even a row.
    costs = {moment: Decimal(3 if moment.weekday() == 0 else 2) for moment in past if not is_weekend(moment)}
    days = [UsageTotals(day=moment, requests=1, actual_cost=cost) for moment, cost in costs.items()]
    found = forecast_month([*days, day(0, "0.5")], today=TODAY)
    assert found is not None
    assert found.by_weekday
    assert [found.days[moment] for moment in TO_COME] == [2, 0, 0, 3]
    # Today has cost 0.5 so far; a Thursday costs 2.
    assert found.days[TODAY] == 2
    spent = sum(cost for moment, cost in costs.items() if moment.month == 11)
    assert found.cost == spent + 2 + 2 + 3


def test_a_day_that_cost_more_than_expected_counts_with_that() -> None:
    found = forecast_month([*(day(n, "1") for n in range(1, 29)), day(0, "9")], today=TODAY)
    assert found is not None
    assert found.days[TODAY] == 9
    assert found.cost == 25 + 9 + 4


def test_a_short_history_is_averaged() -> None:
    """Ten days, of which only two had calls: 7 dollars in ten days."""
    found = forecast_month([day(10, "5"), day(3, "2")], today=TODAY)
    assert found is not None
    assert not found.by_weekday
    assert set(found.days.values()) == {Decimal("0.7")}
    assert found.cost == 7 + 5 * Decimal("0.7")


@pytest.mark.parametrize(
    "days",
    [
        [],
        [day(0, "5")],
        [day(6, "5"), day(1, "5")],
        [day(8, "5", unpriced=2, requests=10), day(1, "5", unpriced=0, requests=9)],
        # Last used long ago.
        [day(29, "5")],
    ],
)
def test_too_little_is_unknown(days: list[UsageTotals]) -> None:
    assert forecast_month(days, today=TODAY) is None


def test_one_unknown_in_ten_is_tolerated() -> None:
    assert forecast_month([day(8, "5", unpriced=2, requests=20)], today=TODAY) is not None


def test_the_last_day_of_a_month_forecasts_itself() -> None:
    last = date(2026, 11, 30)
    month = [UsageTotals(day=last - timedelta(days=n), requests=1, actual_cost=Decimal(1)) for n in range(30)]
    found = forecast_month(month, today=last)
    assert found is not None
    assert (found.cost, list(found.days)) == (Decimal(30), [last])


def test_days_needed_hold_the_month_and_four_weeks() -> None:
    assert days_needed(date(2026, 11, 3)) == (date(2026, 10, 6), date(2026, 11, 4))
    assert days_needed(date(2026, 12, 31)) == (date(2026, 12, 1), date(2027, 1, 1))


@pytest.mark.django_db
@time_machine.travel("2026-11-26 12:00+00:00", tick=False)
def test_from_events_to_forecast(organization: Organization) -> None:
    at = datetime(2026, 11, 16, 12, tzinfo=UTC)
    assert get_month_forecast(organization) is None
    store(*(finished(organization, at=at + timedelta(days=n), actual_cost=Decimal(1)) for n in range(10)))
    found = get_month_forecast(organization)
    assert found is not None
    assert found.cost == 10 + 5
