"""Cost alerts: once per organisation, month and threshold, whatever runs twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from smtplib import SMTPException
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connections

from leadagent.tenants.models import Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory
from tests.usage.factories import finished, store
from usage.alerting.alerts import deliver_waiting, raise_alert, send_due_alerts
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert
from usage.alerting.delivering import MAX_ATTEMPTS, NotDelivered
from usage.ledger.partitions import ensure_partitions
from usage.models import AlertDelivery, AlertSent, AlertSettings, BudgetMonth, UsageDaily
from usage.spending.chosen_budgets import BudgetChoice, save_budgets

pytestmark = pytest.mark.django_db

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_november() -> Any:
    with time_machine.travel(NOVEMBER, tick=False):
        yield


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory(name="Acme", slug="acme")


def spend(organization: Organization, amount: str, *, day: int = 3, month: int = 11, requests: int = 10) -> None:
    UsageDaily.objects.create(
        organization=organization,
        day=datetime(2026, month, day, tzinfo=UTC).date(),
        operation="research",
        provider="openai",
        model=f"gpt-{day}",
        key_owner="customer",
        requests=requests,
        actual_cost=Decimal(amount),
    )


def choose(organization: Organization, threshold: str, *, enabled: bool = True) -> None:
    save_cost_alert(organization, CostAlertChoice(enabled, Decimal(threshold), "money@acme.test"))


def without_forecast(organization: Organization) -> None:
    AlertSettings.objects.create(organization=organization, forecast=False)


def told(organization: Organization) -> list[str]:
    return list(AlertSent.objects.filter(organization=organization).order_by("pk").values_list("key", flat=True))


def test_the_mail_says_what_was_spent_and_where_to_look(organization: Organization) -> None:
    choose(organization, "5.00")
    spend(organization, "5.004212")
    assert send_due_alerts() == 1
    [message] = mail.outbox
    assert message.to == ["money@acme.test"]
    assert "Acme" in message.subject
    assert "$5.00" in message.body
    assert "/o/acme/usage/" in message.body
    assert "November 2026" in message.body
    assert message.extra_headers["Message-ID"].startswith("<alert-")
    html = message.alternatives[0].content  # type: ignore[attr-defined]
    assert "/o/acme/usage/" in html


def test_it_is_sent_once_and_again_for_another_threshold_or_month(organization: Organization) -> None:
    choose(organization, "5.00")
    spend(organization, "7")
    assert [send_due_alerts(), send_due_alerts()] == [1, 0]
    choose(organization, "6.00")
    assert send_due_alerts() == 1
    choose(organization, "5.00")
    assert send_due_alerts() == 0
    with time_machine.travel(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), tick=False):
        assert send_due_alerts() == 0
        spend(organization, "5.00", month=12)
        assert send_due_alerts() == 1


@pytest.mark.parametrize(
    ("spent", "levels"),
    [
        ("2.499999", []),
        ("2.5", [50]),
        ("3.999999", [50]),
        ("4", [80]),
        ("4.999999", [80]),
        ("5", [100]),
        ("5.000001", [100]),
    ],
)
def test_the_highest_level_that_is_reached_is_told(organization: Organization, spent: str, levels: list[int]) -> None:
    choose(organization, "5.00")
    without_forecast(organization)
    spend(organization, spent)
    send_due_alerts()
    assert told(organization) == [f"threshold:5.00:{level}" for level in levels]


def test_who_did_not_ask_is_not_told(organization: Organization) -> None:
    spend(organization, "100")
    assert send_due_alerts() == 0
    choose(organization, "5.00", enabled=False)
    assert send_due_alerts() == 0
    other = OrganizationFactory()
    choose(other, "5.00")
    assert send_due_alerts() == 0
    assert mail.outbox == []


def test_a_refused_mail_is_tried_again(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(organization, "5.00")
    spend(organization, "7")

    def refuse(self: Any, **_: Any) -> int:
        raise SMTPException("busy")

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        assert send_due_alerts() == 0
    assert AlertSent.objects.get().sent_at is None
    assert send_due_alerts() == 0, "not before its time"
    with time_machine.travel(NOVEMBER + timedelta(minutes=1), tick=False):
        assert send_due_alerts() == 1
    assert AlertSent.objects.get().sent_at is not None
    delivery = AlertDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.problem) == ("sent", 2, "")


def test_what_is_chosen_is_read_back(organization: Organization) -> None:
    assert cost_alert_of(organization) == CostAlertChoice()
    choose(organization, "12.50")
    assert cost_alert_of(organization).as_json() == {
        "enabled": True,
        "monthly_threshold": "12.50",
        "email": "money@acme.test",
    }


def test_levels_are_told_as_they_are_reached_and_never_downwards(organization: Organization) -> None:
    choose(organization, "5.00")
    without_forecast(organization)
    for day, amount in ((1, "2.5"), (2, "0.1"), (3, "1.4"), (4, "1.0"), (5, "50")):
        spend(organization, amount, day=day)
        send_due_alerts()
    assert told(organization) == ["threshold:5.00:50", "threshold:5.00:80", "threshold:5.00:100"]
    assert len(mail.outbox) == 3


@pytest.mark.parametrize(("day", "spent", "is_told"), [(20, "3.2", True), (20, "3.1", False), (3, "2", False)])
def test_a_forecast_is_that_of_the_usage_page(organization: Organization, day: int, spent: str, is_told: bool) -> None:
    """19 complete days of 30: $3.2 end at $5.05, $3.1 at $4.89. Two days of history say nothing."""
    choose(organization, "5.00")
    with time_machine.travel(datetime(2026, 11, day, 12, tzinfo=UTC), tick=False):
        spend(organization, spent, day=1)
        spend(organization, "0.01", day=day)
        send_due_alerts()
        send_due_alerts()
    assert ("forecast:5.00:100" in told(organization)) is is_told


def test_budgets_are_told_with_what_happens(organization: Organization) -> None:
    save_budgets(organization, {"": BudgetChoice(Decimal(4), Decimal(5)), "research": BudgetChoice(hard=Decimal(10))})
    MembershipFactory(organization=organization, role=Role.ADMIN, user__email="admin@acme.test")
    spend(organization, "4.5")
    send_due_alerts()
    assert sorted(told(organization)) == ["hard::5.00:80", "soft::4.00:100"]
    assert {tuple(message.to) for message in mail.outbox} == {("admin@acme.test",)}
    BudgetMonth.objects.filter(operation="").update(refused_at=NOVEMBER)
    send_due_alerts()
    assert "hard::5.00:100" in told(organization)
    assert "raise the budget" in mail.outbox[-1].body


def test_many_failures_are_told_once_a_day(organization: Organization) -> None:
    ensure_partitions([NOVEMBER.date()])
    quiet = OrganizationFactory()
    AlertSettings.objects.create(organization=quiet, error_spike=False)
    store(*[finished(organization, at=NOVEMBER, success=False) for _ in range(19)])
    store(*[finished(quiet, at=NOVEMBER, success=False) for _ in range(30)])
    send_due_alerts()
    assert told(organization) == []
    store(finished(organization, at=NOVEMBER, success=False))
    send_due_alerts()
    send_due_alerts()
    assert told(organization) == ["error_spike:2026-11-20:100"]
    assert told(quiet) == []


def test_failures_that_are_less_than_half_are_not(organization: Organization) -> None:
    ensure_partitions([NOVEMBER.date()])
    AlertSettings.objects.create(organization=organization)
    store(*[finished(organization, at=NOVEMBER, success=number % 5 < 3) for number in range(60)])
    send_due_alerts()
    assert told(organization) == []


def test_a_channel_that_never_takes_it_is_given_up(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(delivery: AlertDelivery) -> None:
        raise NotDelivered("no")

    monkeypatch.setattr("usage.alerting.alerts.deliver", refuse)
    raise_alert(organization, kind="test", key="test", title="t", text="t")
    for days in range(MAX_ATTEMPTS + 3):
        with time_machine.travel(NOVEMBER + timedelta(days=days), tick=False):
            assert deliver_waiting() == 0
    delivery = AlertDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.problem) == ("failed", MAX_ATTEMPTS, "no")


def test_only_the_given_organisations_are_looked_at(organization: Organization) -> None:
    choose(organization, "5.00")
    spend(organization, "7")
    assert send_due_alerts([organization.pk + 1]) == 0
    assert send_due_alerts([organization.pk]) == 1


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_send_one() -> None:
    organization = OrganizationFactory()
    choose(organization, "5.00")
    spend(organization, "7")

    def sweep(_: int) -> int:
        try:
            return send_due_alerts()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(sweep, range(10))) == 1
    assert len(mail.outbox) == 1
