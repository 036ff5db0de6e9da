"""What a month would have cost on another model: every sum here is worked out by hand in its comment."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from byok.catalog.what_if import MonthUsage, Verdict, last_month, month_to_date, month_usage, what_if
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from usage.models import UsageDaily

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Prices:
    input_price: Decimal | None = Decimal(3)
    output_price: Decimal | None = Decimal(15)
    cache_read_price: Decimal | None = Decimal("0.3")
    cache_write_price: Decimal | None = Decimal("3.75")


@pytest.fixture(autouse=True)
def november() -> Any:
    with time_machine.travel(datetime(2026, 11, 26, 12, tzinfo=UTC)):
        yield


def used(organization: Organization, operation: str = "research", day: date = date(2026, 10, 5), **fields: Any) -> None:
    UsageDaily.objects.create(
        organization=organization, day=day, operation=operation, provider="openai", model=fields.pop("model", "gpt-4o"),
        key_owner="customer", **{"requests": 1, "successes": 1} | fields,
    )  # fmt: skip


def october(organization: Organization) -> MonthUsage:
    return month_usage(organization, last_month())


def test_months_are_utc_and_half_open(organization: Organization) -> None:
    assert (last_month().start, last_month().end) == (date(2026, 10, 1), date(2026, 11, 1))
    assert (month_to_date().start, month_to_date().end) == (date(2026, 11, 1), date(2026, 11, 27))
    for day in (date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 26)):
        used(organization, day=day, input_tokens=1_000_000)
    assert what_if(october(organization), kind="chat", prices=Prices()).would_cost == 6
    assert what_if(month_usage(organization, month_to_date()), kind="chat", prices=Prices()).would_cost == 6


@time_machine.travel(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC))
def test_the_month_before_january() -> None:
    assert (last_month().start, last_month().end) == (date(2026, 12, 1), date(2027, 1, 1))
    assert (month_to_date().start, month_to_date().end) == (date(2027, 1, 1), date(2027, 1, 2))


def test_every_bucket_at_its_own_price_to_the_last_digit(organization: Organization) -> None:
    used(organization, input_tokens=1_234_567, cached_input_tokens=7_000_001, cache_write_tokens=333, output_tokens=89,
         actual_cost=Decimal("2.5"), estimated_cost=Decimal("0.25"))  # fmt: skip
    used(organization, "qualification", model="other", output_tokens=1, actual_cost=Decimal(1))
    found = what_if(october(organization), kind="chat", prices=Prices())
    # 1,234,567 × 3 = 3,703,701; 7,000,001 × 0.3 = 2,100,000.3; 333 × 3.75 = 1,248.75; 90 × 15 = 1,350: 5,806,300.05
    assert found.would_cost == Decimal("5.80630005")
    assert found.used.cost == Decimal("3.75")
    assert found.difference == Decimal("2.05630005")
    assert (found.cache_read_as_input, found.cache_write_as_input) == (False, False)


def test_nothing_is_rounded_however_large(organization: Organization) -> None:
    used(organization, input_tokens=9_007_199_254_740_993)
    prices = Prices(input_price=Decimal("1234567890.0123456789"))
    digits = str(9_007_199_254_740_993 * 12345678900123456789)
    exact = Decimal((0, tuple(map(int, digits)), -16))
    found = what_if(october(organization), kind="chat", prices=prices).would_cost
    assert found is not None
    assert found.as_tuple() == exact.as_tuple()


def test_cache_without_a_price_of_its_own_is_input_and_says_so(organization: Organization) -> None:
    used(organization, input_tokens=1_000_000, cached_input_tokens=1_000_000, cache_write_tokens=1_000_000)
    found = what_if(october(organization), kind="chat", prices=Prices(cache_read_price=None, cache_write_price=None))
    assert found.would_cost == 9
    assert (found.cache_read_as_input, found.cache_write_as_input) == (True, True)


def test_nothing_is_said_of_a_cache_that_was_not_used(organization: Organization) -> None:
    used(organization, input_tokens=1_000_000)
    found = what_if(october(organization), kind="chat", prices=Prices(cache_read_price=None, cache_write_price=None))
    assert (found.cache_read_as_input, found.cache_write_as_input) == (False, False)


def test_a_price_of_zero_is_a_price(organization: Organization) -> None:
    used(organization, cached_input_tokens=1_000_000)
    found = what_if(october(organization), kind="chat", prices=Prices(cache_read_price=Decimal(0)))
    assert found.would_cost == 0
    assert found.verdict is Verdict.PRICED


@pytest.mark.parametrize("unknown", ["input_price", "output_price"])
def test_a_price_that_is_needed_and_unknown_makes_the_sum_unknown(organization: Organization, unknown: str) -> None:
    used(organization, input_tokens=10, output_tokens=10)
    found = what_if(october(organization), kind="chat", prices=Prices(**{unknown: None}))
    assert (found.verdict, found.would_cost, found.difference) == (Verdict.NO_PRICE, None, None)


def test_a_price_that_is_not_needed_may_be_unknown(organization: Organization) -> None:
    used(organization, "embedding", input_tokens=1_000_000)
    found = what_if(october(organization), kind="embedding", prices=Prices(output_price=None))
    assert found.would_cost == 3


def test_each_kind_is_measured_by_its_own_operations(organization: Organization) -> None:
    for operation in ("research", "qualification", "email_generation"):
        used(organization, operation, input_tokens=1_000_000)
    used(organization, "embedding", input_tokens=5_000_000)
    # What a key's test asks is nobody's work.
    used(organization, "connection_test", input_tokens=7_000_000)
    usage = october(organization)
    assert what_if(usage, kind="chat", prices=Prices()).would_cost == 9
    assert what_if(usage, kind="embedding", prices=Prices()).would_cost == 15
    other = what_if(usage, kind="other", prices=Prices())
    assert (other.verdict, other.would_cost) == (Verdict.OTHER_WORK, None)


def test_a_month_without_such_calls_costs_nothing_that_can_be_told(organization: Organization) -> None:
    used(organization, "embedding", input_tokens=10)
    used(OrganizationFactory(), input_tokens=10)
    found = what_if(october(organization), kind="chat", prices=Prices())
    assert (found.verdict, found.would_cost, found.difference) == (Verdict.NO_USAGE, None, None)


def test_calls_of_unknown_cost_leave_no_difference(organization: Organization) -> None:
    used(organization, requests=2, input_tokens=1_000_000, actual_cost=Decimal(1), unpriced_requests=1)
    found = what_if(october(organization), kind="chat", prices=Prices())
    assert found.would_cost == 3
    assert found.used.cost == 1
    assert found.difference is None
    UsageDaily.objects.update(actual_cost=0, unpriced_requests=2)
    assert what_if(october(organization), kind="chat", prices=Prices()).used.cost is None
