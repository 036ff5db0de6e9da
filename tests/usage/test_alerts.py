"""Cost alerts: once per organisation, month and threshold, whatever runs twice."""

from datetime import UTC, datetime
from decimal import Decimal
from smtplib import SMTPException
from typing import Any

import pytest
import time_machine
from django.core import mail

from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from usage.alerts import CostAlertChoice, cost_alert_of, save_cost_alert, send_due_alerts
from usage.models import AlertSent, UsageDaily

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
    assert message.extra_headers["Message-ID"].startswith("<cost-alert-")
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


@pytest.mark.parametrize(("spent", "told"), [("4.999999", 0), ("5", 1), ("5.000001", 1)])
def test_the_threshold_itself_counts(organization: Organization, spent: str, told: int) -> None:
    choose(organization, "5.00")
    spend(organization, spent)
    assert send_due_alerts() == told


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
        broken.setattr("usage.alerts.EmailMultiAlternatives.send", refuse)
        assert send_due_alerts() == 0
    assert AlertSent.objects.get().sent_at is None
    assert send_due_alerts() == 1
    assert AlertSent.objects.get().sent_at is not None


def test_what_is_chosen_is_read_back(organization: Organization) -> None:
    assert cost_alert_of(organization) == CostAlertChoice()
    choose(organization, "12.50")
    assert cost_alert_of(organization).as_json() == {
        "enabled": True,
        "monthly_threshold": "12.50",
        "email": "money@acme.test",
    }
