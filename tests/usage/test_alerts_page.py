"""The page of alerts and budgets: what it saves, refuses, shows once, and lists."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from leadagent.egress import Answer
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory
from usage.alerting.alerts import raise_alert
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert
from usage.models import AlertSecret, AlertSent
from usage.spending.chosen_budgets import BudgetChoice, budgets_of, save_budgets
from usage.spending.rate_limit import own_rate_of

pytestmark = pytest.mark.django_db

SLACK = "https://hooks.slack.com/services/T0/B0/notarealsecret"


@pytest.fixture
def admin(organization: Organization) -> Membership:
    return MembershipFactory(organization=organization, role=Role.ADMIN, user__email="admin@acme.test")


@pytest.fixture
def client(admin: Membership) -> Client:
    made = Client()
    made.force_login(admin.user)
    return made


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    posted: list[str] = []

    def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
        posted.append(url)
        return Answer(200 if "slack" in url else 500, b"")

    monkeypatch.setattr("leadagent.egress.post", post)
    return posted


def where(organization: Organization, name: str = "alerts") -> str:
    return reverse(f"usage:{name}", args=[organization.slug])


def save(client: Client, organization: Organization, **fields: str) -> Any:
    return client.post(where(organization), fields)


def test_everything_is_saved_and_shown_again(client: Client, organization: Organization) -> None:
    fields = {
        "alert_enabled": "on", "alert_threshold": "12.50", "alert_email": "money@acme.test", "alert_errors": "on",
        "soft_all": "10", "hard_all": "20", "hard_research": "5.5", "rate_requests": "30", "slack_url": SLACK,
    }  # fmt: skip
    assert save(client, organization, **fields).status_code == 302
    assert cost_alert_of(organization) == CostAlertChoice(True, Decimal("12.50"), "money@acme.test")
    assert budgets_of(organization) == {
        "": BudgetChoice(Decimal(10), Decimal(20)),
        "research": BudgetChoice(None, Decimal("5.50")),
    }
    assert own_rate_of(organization).requests_per_minute == 30
    settings = organization.alert_settings
    assert (settings.forecast, settings.error_spike) == (False, True)
    page = client.get(where(organization)).content.decode()
    for shown in ('value="12.50"', 'value="5.50"', "ends in cret", "$0.00 of $20.00"):
        assert shown in page
    assert "notarealsecret" not in page
    actions = set(AuditEvent.objects.filter(organization=organization).values_list("action", flat=True))
    assert {"alert.saved", "budget.saved", "budget.rate_saved"} <= actions


def test_an_alert_that_was_set_in_the_ai_settings_meanwhile_stays(client: Client, organization: Organization) -> None:
    shown = re.search(r'name="alert_shown" value="([^"]*)"', client.get(where(organization)).content.decode())
    assert shown is not None
    set_meanwhile = CostAlertChoice(True, Decimal("50.00"), "money@acme.test")
    save_cost_alert(organization, set_meanwhile)
    assert save(client, organization, alert_shown=shown[1], soft_all="10").status_code == 302
    assert cost_alert_of(organization) == set_meanwhile
    assert budgets_of(organization) == {"": BudgetChoice(Decimal(10), None)}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"alert_enabled": "on"}, "Enter the sum from which"),
        ({"soft_all": "3", "hard_all": "2"}, "lies above the hard one"),
        ({"hard_all": "0"}, "Enter a sum above zero"),
        ({"slack_url": "https://example.com/x"}, "https://hooks.slack.com/"),
        ({"slack_url": "http://hooks.slack.com/x"}, "begin with https://"),
        ({"webhook_url": "https://127.0.0.1/x"}, "private network"),
        ({"webhook_url": "https://user:pw@example.com/"}, "user name or password"),
        ({"rate_requests": "101"}, "The operator allows 100"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    client: Client, organization: Organization, settings: Settings, fields: dict[str, str], says: str
) -> None:
    settings.AI_RATE_LIMIT_REQUESTS = 100
    answer = save(client, organization, **fields)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert (budgets_of(organization), AlertSecret.objects.count()) == ({}, 0)


def test_a_webhooks_secret_is_shown_once(client: Client, organization: Organization) -> None:
    made = save(client, organization, webhook_url="https://hooks.example.com/x")
    assert made.status_code == 200
    assert "no-store" in made.headers["Cache-Control"]
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in client.get(where(organization)).content.decode()
    assert "whsec_" in client.post(where(organization, "alert_secret")).content.decode()


def test_a_test_message_says_which_channel_took_it(
    client: Client, organization: Organization, network: list[str]
) -> None:
    save(client, organization, slack_url=SLACK)
    answer = client.post(where(organization, "alert_test"), follow=True)
    assert "Every channel took the test message." in answer.content.decode()
    assert network == [SLACK]
    save(client, organization, webhook_url="https://hooks.example.com/x")
    answer = client.post(where(organization, "alert_test"), follow=True)
    assert "Webhook: it answered with status 500" in answer.content.decode()


def test_test_messages_are_limited(client: Client, organization: Organization) -> None:
    for _ in range(11):
        answer = client.post(where(organization, "alert_test"), follow=True)
    assert "10 test messages were sent today" in answer.content.decode()
    assert AlertSent.objects.count() == 10


def test_the_history_is_ones_own(client: Client, organization: Organization) -> None:
    other = OrganizationFactory()
    for whose in (organization, other):
        raise_alert(whose, kind="threshold", key="x", title=f"Told to {whose.slug}", text="x")
    page = client.get(where(organization)).content.decode()
    assert "Told to acme" in page
    assert f"Told to {other.slug}" not in page
    assert "Email: waiting" in page


def test_the_page_is_for_admins(organization: Organization) -> None:
    member = Client()
    member.force_login(MembershipFactory(organization=organization, role=Role.MEMBER).user)
    assert member.get(where(organization)).status_code == 403


def test_saving_is_kept_to_the_organisation(client: Client, organization: Organization) -> None:
    other = OrganizationFactory()
    save_budgets(other, {"": BudgetChoice(hard=Decimal(7))})
    save_cost_alert(other, CostAlertChoice(True, Decimal(7), "x@y.test"))
    save(client, organization, hard_all="1")
    assert budgets_of(other) == {"": BudgetChoice(None, Decimal(7))}
    assert client.post(where(other), {"hard_all": "1"}).status_code == 404


def test_a_key_in_a_field_for_something_else_is_told_and_not_shown_again(
    client: Client, organization: Organization
) -> None:
    key = "sk-proj-" + "Ab1" * 16
    answer = save(client, organization, alert_email=key, webhook_url=f"https://hooks.example.org/{key}", hard_all="7")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert key not in page
    assert page.count("A key belongs in the key field only.") == 4, "two fields, in the summary and at each"
    assert 'value="7"' in page
