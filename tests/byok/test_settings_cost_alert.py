"""The cost alert on the AI settings page, which is also set on a page of its own."""

import html
import re
from decimal import Decimal

import pytest
from django.test import Client

from byok.models import AIConfig
from leadagent.tenants.models import Organization
from tests.byok.pages import fields, text, url
from tests.clients import client_of
from usage.alerting.cost_alert import CostAlertChoice, cost_alert_of, save_cost_alert
from usage.models import CostAlert

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]


@pytest.fixture
def address(organization: Organization) -> str:
    return url("settings", organization)


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"alert_threshold": "", "alert_email": "a@b.test"}, "Enter the sum"),
        ({"alert_threshold": "0", "alert_email": "a@b.test"}, "above zero"),
        ({"alert_threshold": "-1", "alert_email": "a@b.test"}, "above zero"),
        ({"alert_threshold": "1.234", "alert_email": "a@b.test"}, "at most two decimals"),
        ({"alert_threshold": "lots", "alert_email": "a@b.test"}, "Enter a sum in dollars"),
        ({"alert_threshold": "5", "alert_email": "nobody"}, "valid email"),
    ],
    ids=str,
)
def test_a_cost_alert_that_cannot_work_is_refused(
    organization: Organization, client: Client, address: str, changed: dict[str, str], words: str
) -> None:
    answer = client.post(address, fields(alert_enabled="on", chat_model="gpt-5-mini", **changed))
    assert answer.status_code == 422
    assert words in text(answer)
    assert "gpt-5-mini" in text(answer)
    assert not cost_alert_of(organization).enabled
    assert not AIConfig.objects.exists()


def alert_fields(page: str) -> dict[str, str]:
    """The cost alert as a browser would send it back."""
    found = {}
    for tag in re.findall(r'<input[^>]*name="alert_[a-z]+"[^>]*>', page):
        attributes = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if attributes["type"] != "checkbox" or re.search(r"\bchecked\b", tag):
            found[attributes["name"]] = html.unescape(
                attributes.get("value", "on" if attributes["type"] == "checkbox" else "")
            )
    return found


@pytest.mark.parametrize(
    "stored",
    [CostAlertChoice(), CostAlertChoice(True, Decimal("25.00")), CostAlertChoice(False, Decimal(7), "a@b.test")],
    ids=["none", "to every admin", "off"],
)
def test_whoever_saves_the_settings_without_touching_the_alert_leaves_it_alone(
    organization: Organization, client: Client, address: str, stored: CostAlertChoice
) -> None:
    if stored != CostAlertChoice():
        save_cost_alert(organization, stored)
    shown = alert_fields(text(client.get(address)))
    assert client.post(address, fields(**shown)).status_code == 302
    assert cost_alert_of(organization) == stored
    assert CostAlert.objects.count() == (stored != CostAlertChoice())


def test_an_alert_that_was_set_on_its_own_page_meanwhile_stays(
    organization: Organization, client: Client, address: str
) -> None:
    shown = alert_fields(text(client.get(address)))
    set_meanwhile = CostAlertChoice(True, Decimal("50.00"), "money@acme.test")
    save_cost_alert(organization, set_meanwhile)
    assert client.post(address, fields(**shown)).status_code == 302
    assert cost_alert_of(organization) == set_meanwhile


def test_an_alert_may_go_to_every_admin(organization: Organization, client: Client, address: str) -> None:
    everybody = fields(alert_enabled="on", alert_threshold="5", alert_email="")
    assert client.post(address, everybody).status_code == 302
    assert cost_alert_of(organization) == CostAlertChoice(True, Decimal("5.00"))
