"""Two people save the same configuration: both sides are shown, and nothing is lost."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from byok.config.ai_config import get_ai_config
from byok.config.saving import save_ai_config
from leadagent.tenants.models import Membership, Organization
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, fields, text, url
from tests.clients import client_of
from usage.alerting.cost_alert import CostAlertChoice

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(organization: Organization, asked: Asked) -> Client:
    """An admin whose page is older than what somebody else saved."""
    client = client_of(organization)
    client.post(url("settings", organization), fields())
    asked.calls.clear()
    other = Membership.objects.get(organization=organization).user
    save_ai_config(
        organization,
        provider="openai",
        chat_model="gpt-5",
        operation_models={"research": "o3"},
        fallback={"research": "allow"},
        cost_alert=CostAlertChoice(True, Decimal("5.00"), "theirs@acme.test"),
        actor=other,
    )
    return client


def rows(page: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r'<th scope="row">(.*?)</th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>', page)
    return {label: (theirs, yours) for label, theirs, yours in found}


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_both_sides_are_shown_and_yours_stays_in_the_form(
    organization: Organization, client: Client, asked: Asked, headers: dict[str, str]
) -> None:
    late = fields(
        version=1, chat_model="gpt-5-mini", model_research="", fallback_research="never", alert_email="mine@acme.test"
    )
    answer = client.post(url("settings", organization), late, headers=headers)
    page = text(answer)
    assert answer.status_code == 409
    assert rows(page) == {
        "Chat model": ("gpt-5", "gpt-5-mini"),
        "Cost alert": ("From $5.00 to theirs@acme.test", "Off"),
        "Research: model": ("o3", "Not chosen"),
        "Research: when the key fails": ("Allow", "Not chosen"),
        "API key": ("sk-proj-••••••••••wxyz", "A new key"),
    }
    assert Membership.objects.get(organization=organization).user.email in page
    assert 'value="gpt-5-mini"' in page
    assert 'value="mine@acme.test"' in page
    assert KEYS["openai"] not in page
    assert get_ai_config(organization).chat_model == "gpt-5"
    assert asked.calls == [], "nobody is asked about a key that cannot be saved"


def test_save_mine_saves_and_keep_theirs_leads_back(organization: Organization, client: Client) -> None:
    address = url("settings", organization)
    page = text(client.post(address, fields(version=1, chat_model="gpt-5-mini")))
    assert re.search(rf'<a class="button" href="{address}">Keep what is saved</a>', page)
    [version] = re.findall(r'name="version" value="(\d+)"', page)
    assert version == "2"
    assert client.post(address, fields(version=version, chat_model="gpt-5-mini")).status_code == 302
    assert get_ai_config(organization).chat_model == "gpt-5-mini"


def test_a_save_that_slips_in_during_the_test_is_a_conflict_too(
    organization: Organization, client: Client, asked: Asked
) -> None:
    def somebody_saves() -> None:
        asked.meanwhile = None
        save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini")

    asked.meanwhile = somebody_saves
    answer = client.post(url("settings", organization), fields(version=2, chat_model="gpt-5-mini"))
    assert answer.status_code == 409
    assert rows(text(answer))["Chat model"] == ("gpt-4o-mini", "gpt-5-mini")


def test_going_to_the_platform_shows_no_rows_of_own_models(organization: Organization, client: Client) -> None:
    answer = client.post(url("settings", organization), fields("platform_default", version=1))
    found = rows(text(answer))
    assert found["Provider"] == ("OpenAI", "Platform AI")
    assert found["Chat model"] == ("gpt-5", "Not chosen")
