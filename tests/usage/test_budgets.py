"""Hard budgets: exact at any concurrency, per operation and for all of them, by UTC month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine

from leadagent.tenants.models import AuditEvent, Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import finished, record
from tests.usage.one_connection import put_postgresql_away
from usage.models import BudgetMonth, UsageDaily
from usage.spending import budgets, limits
from usage.spending.budgets import BudgetReached
from usage.spending.chosen_budgets import BudgetChoice, save_budgets, taken_this_month

CENT = Decimal("0.01")


def allow(organization: Organization, **hard: str) -> None:
    """`allow(acme, all="5", research="1")`: hard budgets, and no others."""
    choices = {("" if name == "all" else name): BudgetChoice(hard=Decimal(sum_)) for name, sum_ in hard.items()}
    save_budgets(organization, choices)


def taken(organization: Organization) -> dict[str, Decimal]:
    return {name: value.normalize() for name, value in taken_this_month(organization).items()}


@pytest.mark.django_db
class TestOnOneConnection:
    def test_without_a_hard_budget_nothing_is_held(self, organization: Organization) -> None:
        assert budgets.reserve(organization.pk, "research", CENT) is None
        save_budgets(organization, {"": BudgetChoice(soft=Decimal(1)), "embedding": BudgetChoice(hard=Decimal(1))})
        assert budgets.reserve(organization.pk, "research", CENT) is None
        assert taken_this_month(organization) == {"embedding": 0}

    def test_the_last_cent_may_be_spent_and_no_more(self, organization: Organization) -> None:
        allow(organization, all="0.02")
        assert budgets.reserve(organization.pk, "research", CENT)
        assert budgets.reserve(organization.pk, "qualification", CENT)
        with pytest.raises(BudgetReached) as reached:
            budgets.reserve(organization.pk, "research", Decimal("0.000001"))
        assert "$0.02 for " in str(reached.value)
        assert "Settings, Alerts and budgets" in str(reached.value)

    def test_an_operation_counts_against_its_own_and_the_whole_or_neither(self, organization: Organization) -> None:
        allow(organization, all="10", research="0.01")
        assert budgets.reserve(organization.pk, "research", CENT)
        with pytest.raises(BudgetReached, match="for research for "):
            budgets.reserve(organization.pk, "research", CENT)
        assert taken(organization) == {"": CENT, "research": CENT}
        assert budgets.reserve(organization.pk, "qualification", CENT)
        assert taken(organization) == {"": 2 * CENT, "research": CENT}

    @pytest.mark.parametrize(("cost", "left"), [(Decimal(0), 0), (Decimal("0.004"), Decimal("0.004")), (None, CENT)])
    def test_the_end_of_a_call_settles_it(
        self, organization: Organization, cost: Decimal | None, left: Decimal
    ) -> None:
        allow(organization, all="1", research="1")
        reservation = budgets.reserve(organization.pk, "research", CENT)
        assert reservation is not None
        budgets.settle(reservation, cost)
        assert taken(organization) == {"": left, "research": left}

    def test_a_raised_budget_lets_calls_go_on_and_keeps_what_was_taken(self, organization: Organization) -> None:
        allow(organization, all="0.01")
        budgets.reserve(organization.pk, "research", CENT)
        allow(organization, all="0.02")
        assert budgets.reserve(organization.pk, "research", CENT)
        with pytest.raises(BudgetReached):
            budgets.reserve(organization.pk, "research", CENT)

    def test_months_are_utc_and_a_late_end_settles_its_own(self, organization: Organization) -> None:
        with time_machine.travel(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), tick=False):
            allow(organization, all="0.01")
            reservation = budgets.reserve(organization.pk, "research", CENT)
            with pytest.raises(BudgetReached, match="November 2026"):
                budgets.reserve(organization.pk, "research", CENT)
        with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
            assert budgets.reserve(organization.pk, "research", CENT)
            assert reservation is not None
            budgets.settle(reservation, Decimal("0.003"))
        assert dict(BudgetMonth.objects.values_list("month", "taken")) == {
            date(2026, 11, 1): Decimal("0.003"),
            date(2026, 12, 1): CENT,
        }

    def test_a_budget_set_in_mid_month_counts_what_was_spent(self, organization: Organization) -> None:
        today = datetime.now(UTC).date()
        for day, amount in ((today.replace(day=1), "2"), (date(2020, 1, 1), "50")):
            UsageDaily.objects.create(
                organization=organization, day=day, operation="research", provider="openai", model="m",
                key_owner="customer", requests=1, actual_cost=Decimal(amount), estimated_cost=Decimal("0.5"),
            )  # fmt: skip
        record(finished(organization, operation="embedding", actual_cost=Decimal("0.25")))
        record(finished(OrganizationFactory(), operation="research", actual_cost=Decimal(9)))
        allow(organization, all="5", research="4")
        assert taken(organization) == {"": Decimal("2.75"), "research": Decimal("2.5")}

    def test_another_organisation_is_not_touched(self, organization: Organization) -> None:
        other = OrganizationFactory()
        allow(organization, all="0.01")
        allow(other, all="0.01")
        assert budgets.reserve(organization.pk, "research", CENT)
        assert budgets.reserve(other.pk, "research", CENT)

    def test_what_is_saved_is_audited_and_known_at_once(self, organization: Organization) -> None:
        assert not limits.limits_of(organization.pk).has_hard_budget("research")
        allow(organization, research="1.50")
        known = limits.limits_of(organization.pk)
        assert (known.has_hard_budget("research"), known.has_hard_budget("embedding")) == (True, False)
        save_budgets(organization, {})
        assert not limits.limits_of(organization.pk).has_hard_budget("research")
        events = AuditEvent.objects.filter(organization=organization, action="budget.saved").order_by("pk")
        assert [(event.before, event.after) for event in events] == [
            ({}, {"research (hard)": "1.50"}),
            ({"research (hard)": "1.50"}, {}),
        ]
        assert not save_budgets(organization, {"": BudgetChoice()})

    def test_while_postgresql_is_away_it_says_so(
        self, organization: Organization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        allow(organization, all="1")
        assert limits.limits_of(organization.pk).has_hard_budget("research")
        reservation = budgets.reserve(organization.pk, "research", CENT)
        assert reservation is not None
        put_postgresql_away(monkeypatch)
        with pytest.raises(budgets.BudgetUnavailable):
            budgets.reserve(organization.pk, "research", CENT)
        budgets.settle(reservation, Decimal(0))
        assert taken(organization) == {"": CENT}
        monkeypatch.setattr("usage.spending.limits._fresh_until", 0.0)
        assert limits.limits_of(organization.pk).has_hard_budget("research"), "what was last read stands"


@pytest.mark.django_db(transaction=True)
def test_fifty_threads_never_pass_a_hard_budget() -> None:
    organization = OrganizationFactory()
    allow(organization, all="0.60", research="0.25")
    operations = ["research", "qualification"] * 100

    def call(operation: str) -> bool:
        try:
            return budgets.reserve(organization.pk, operation, CENT) is not None
        except BudgetReached:
            return False

    with ThreadPoolExecutor(50) as threads:
        granted = list(threads.map(call, operations))
    by_operation = {
        name: sum(ok for ok, operation in zip(granted, operations, strict=True) if operation == name)
        for name in ("research", "qualification")
    }
    assert by_operation["research"] <= 25
    assert sum(by_operation.values()) == 60
    assert taken(organization) == {"": Decimal("0.6"), "research": CENT * by_operation["research"]}


@pytest.mark.django_db(transaction=True)
def test_fifty_threads_that_settle_end_at_what_was_spent() -> None:
    organization = OrganizationFactory()
    allow(organization, all="1.00")

    def call(_: int) -> Decimal:
        try:
            reservation = budgets.reserve(organization.pk, "research", 5 * CENT)
        except BudgetReached:
            return Decimal(0)
        assert reservation is not None
        budgets.settle(reservation, CENT)
        return CENT

    with ThreadPoolExecutor(50) as threads:
        spent = sum(threads.map(call, range(300)), Decimal(0))
    assert taken(organization) == {"": spent.normalize()}
    assert Decimal("0.5") < spent <= 1
