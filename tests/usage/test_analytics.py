"""Figures of pages and API, against sums made by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import finished, store
from usage.analytics import (
    UsageTotals,
    get_ai_usage_stats,
    get_model_distribution,
    get_monthly_usage_stats,
    get_total_cost_by_period,
    get_usage_by_operation,
)
from usage.models import AIUsage
from usage.utc_days import current_month

pytestmark = pytest.mark.django_db

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))


@pytest.fixture
def used(organization: Organization) -> Organization:
    def at(day: int, month: int = 11) -> datetime:
        return datetime(2026, month, day, 8, tzinfo=UTC)

    store(
        finished(organization, at=at(1), actual_cost=Decimal("0.5"), estimated_cost=Decimal("0.4")),
        finished(organization, at=at(2), estimated_cost=Decimal("0.25"), reasoning_tokens=2),
        finished(organization, at=at(30), estimated_cost=None, success=False, model="gpt-5"),
        finished(organization, at=at(3), operation="research", actual_cost=Decimal("2"), model="gpt-5"),
        finished(organization, at=at(3), operation="research", actual_cost=Decimal(0), model="gpt-5"),
        finished(organization, at=at(1, month=12), actual_cost=Decimal("100")),
        finished(OrganizationFactory(), at=at(4), actual_cost=Decimal("1000")),
    )
    return organization


def test_totals_of_a_half_open_period(used: Organization) -> None:
    totals = get_total_cost_by_period(used, *NOVEMBER)
    assert (totals.requests, totals.successes, totals.failures) == (5, 4, 1)
    # 0.5 + 2 + 0 were reported; 0.25 is estimated where nothing was reported.
    assert (totals.actual_cost, totals.estimated_cost, totals.cost) == (
        Decimal("2.5"),
        Decimal("0.25"),
        Decimal("2.75"),
    )
    assert totals.unpriced_requests == 1
    # Each has 10 in and 5 out.
    assert (totals.input_tokens, totals.output_tokens, totals.total_tokens) == (50, 25, 75)
    assert (totals.reasoning_tokens, totals.duration_ms) == (2, 5 * 820)


def test_by_operation_and_by_model(used: Organization) -> None:
    by_operation = get_usage_by_operation(used, *NOVEMBER)
    assert [(group.operation, group.requests, group.cost) for group in by_operation] == [
        ("research", 2, Decimal(2)),
        ("qualification", 3, Decimal("0.75")),
    ]
    by_model = get_model_distribution(used, *NOVEMBER)
    assert [(group.model, group.requests) for group in by_model] == [("gpt-5", 3), ("gpt-4o-mini", 2)]
    stats = get_ai_usage_stats(used, *NOVEMBER)
    assert (stats.by_operation, stats.by_model) == (by_operation, by_model)


def test_no_calls_cost_nothing_and_unknown_is_not_nothing(organization: Organization) -> None:
    assert get_total_cost_by_period(organization, *NOVEMBER) == UsageTotals()
    assert UsageTotals().cost == Decimal(0)
    store(finished(organization, estimated_cost=None))
    assert get_total_cost_by_period(organization, *NOVEMBER).cost is None


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), NOVEMBER),
        (datetime(2026, 12, 1, tzinfo=UTC), (date(2026, 12, 1), date(2027, 1, 1))),
    ],
)
def test_the_month_turns_in_utc(used: Organization, now: datetime, month: tuple[date, date]) -> None:
    with time_machine.travel(now, tick=False):
        assert current_month() == month
        stats = get_monthly_usage_stats(used)
    assert (stats.start, stats.end) == month
    assert stats.totals.cost == (Decimal("2.75") if month == NOVEMBER else Decimal(100))


@pytest.mark.parametrize(
    ("actual", "estimated", "cost"),
    [
        (Decimal("0.2"), Decimal("0.1"), Decimal("0.2")),
        (Decimal(0), Decimal("0.1"), Decimal(0)),
        (None, Decimal("0.1"), Decimal("0.1")),
        (None, None, None),
    ],
)
def test_the_best_known_cost(actual: Decimal | None, estimated: Decimal | None, cost: Decimal | None) -> None:
    assert AIUsage(actual_cost=actual, estimated_cost=estimated).cost == cost
