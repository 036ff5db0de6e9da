"""Testing a key from the page, looking at a stored one again, and bringing the replaced one back."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from byok.checking.reports import LineState
from byok.config.ai_config import get_ai_config
from byok.models import AIConfig, CredentialStatus, ProviderCredential, SupersededKey
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, fields, sign_in_grows_old, text, url
from tests.clients import client_of

pytestmark = pytest.mark.django_db

NEW = "sk-proj-NEWnewNEWnewNEWnewNEW1111"


@pytest.fixture
def client(organization: Organization, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("byok.checking.rechecking.test_ai_connection", asked)
    return client_of(organization)


@pytest.fixture
def address(organization: Organization) -> str:
    return url("settings", organization)


# --- Test connection ------------------------------------------------------------------


def test_a_test_shows_the_report_and_saves_nothing(organization: Organization, client: Client, asked: Asked) -> None:
    posted = fields(model_research="gpt-5", probe="on")
    answer = client.post(url("test_key", organization), posted, headers=HTMX)
    part = text(answer)
    assert answer.status_code == 200
    assert "Key line." in part
    assert "<form" not in part
    assert asked.calls[0]["chat"] == ["gpt-4o", "gpt-5"]
    assert asked.calls[0]["key"] == KEYS["openai"]
    assert KEYS["openai"] not in part
    assert not AIConfig.objects.exists()
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.target) == ("connection.tested", "openai")


def test_without_htmx_the_whole_page_comes_with_everything_but_the_key(
    organization: Organization, client: Client, asked: Asked
) -> None:
    asked.states["gpt-5-mini"] = LineState.FAILED
    posted = fields(chat_model="gpt-5-mini", alert_email="typed@acme.test")
    page = text(client.post(url("test_key", organization), posted))
    assert "<html" in page
    assert "Key line." in page
    assert "This key cannot do what you chose" in page
    assert 'value="gpt-5-mini"' in page
    assert 'value="typed@acme.test"' in page
    assert "Enter the key again" in page
    assert KEYS["openai"] not in page


def test_an_empty_field_tests_the_stored_key_on_the_models_in_the_form(
    organization: Organization, client: Client, address: str, asked: Asked
) -> None:
    client.post(address, fields())
    posted = fields(api_key="", chat_model="gpt-5", version=1)
    assert "The stored key was tested." in text(client.post(url("test_key", organization), posted, headers=HTMX))
    assert asked.calls[-1]["key"] == KEYS["openai"]
    assert asked.calls[-1]["chat"] == ["gpt-5"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"api_key": KEYS["anthropic"]}, "This looks like an Anthropic key"),
        ({"api_key": "sk-proj-short"}, "too short"),
        ({"api_key": "sk-proj-two words and more of them"}, "one line"),
        ({"api_key": ""}, "Enter your OpenAI key first"),
        ({"provider": "platform_default"}, "needs no key"),
    ],
    ids=str,
)
def test_what_cannot_be_tested_is_told_without_asking(
    organization: Organization, client: Client, asked: Asked, changed: dict[str, str], words: str
) -> None:
    answer = client.post(url("test_key", organization), fields(**changed), headers=HTMX)
    assert answer.status_code == 422
    assert words in text(answer)
    assert asked.calls == []


def test_another_providers_key_offers_that_provider(organization: Organization, client: Client) -> None:
    for name in ("test_key", "settings"):
        page = text(client.post(url(name, organization), fields(api_key=KEYS["anthropic"])))
        result = page[page.index('id="test-result"') :]
        assert 'data-choose-provider="anthropic"' in result
        assert "Use Anthropic instead" in result


def test_beside_a_key_field_that_offers_that_provider_itself_it_is_not_offered_twice(
    organization: Organization, client: Client
) -> None:
    part = text(client.post(url("test_key", organization), fields(api_key=KEYS["anthropic"]), headers=HTMX))
    assert "This looks like an Anthropic key" in part
    assert "data-choose-provider" not in part
    form = text(client.post(url("settings", organization), fields(api_key=KEYS["anthropic"]), headers=HTMX))
    assert "data-choose-provider" not in form[form.index('id="test-result"') :]
    assert "data-key-switch" in form


def test_the_eleventh_test_in_ten_minutes_is_refused(organization: Organization, client: Client, asked: Asked) -> None:
    for _ in range(10):
        assert client.post(url("test_key", organization), fields(), headers=HTMX).status_code == 200
    answer = client.post(url("test_key", organization), fields(), headers=HTMX)
    assert answer.status_code == 429
    assert "Try again in" in text(answer)
    assert int(answer.headers["Retry-After"]) > 0
    assert len(asked.calls) == 10


def test_a_test_asks_for_a_recent_sign_in(organization: Organization, client: Client, asked: Asked) -> None:
    sign_in_grows_old(client)
    part = text(client.post(url("test_key", organization), fields(), headers=HTMX))
    assert reverse("account_reauthenticate") in part
    assert asked.calls == []


# --- Check again ----------------------------------------------------------------------


def test_a_stored_key_is_looked_at_again(
    organization: Organization, client: Client, address: str, asked: Asked
) -> None:
    client.post(address, fields())
    asked.states["key"] = LineState.FAILED
    where = url("recheck_key", organization, "openai")
    card = text(client.post(where, headers=HTMX))
    assert 'id="current-setup"' in card
    assert CredentialStatus.REJECTED.label in card
    assert "Enter a new key" in card
    assert "<form id=" not in card
    assert client.post(where).headers["Location"] == address
    assert client.get(where).status_code == 405
    assert client.post(url("recheck_key", organization, "anthropic")).status_code == 404


def test_looking_again_asks_for_a_recent_sign_in_and_counts(
    organization: Organization, client: Client, address: str, asked: Asked
) -> None:
    client.post(address, fields())
    where = url("recheck_key", organization, "openai")
    for _ in range(9):
        client.post(where)
    asked.calls.clear()
    assert "Too many key tests" in text(client.post(where, headers=HTMX))
    sign_in_grows_old(client)
    assert client.post(where).headers["Location"].startswith(reverse("account_reauthenticate"))
    assert "Confirm who you are" in text(client.post(where, headers=HTMX))
    assert asked.calls == []


# --- Removing -------------------------------------------------------------------------


def test_removing_tells_what_stops(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    for page in (client.get(address), client.get(url("remove_key", organization, "openai"))):
        assert "their runs pause until a key is saved again" in text(page)
        assert "The knowledge base can no longer be searched" in text(page)


# --- Bringing the replaced key back ---------------------------------------------------


@pytest.fixture
def replaced(client: Client, address: str) -> None:
    client.post(address, fields())
    client.post(address, fields(api_key=NEW, version=1))


@pytest.mark.usefixtures("replaced")
def test_a_replaced_key_is_brought_back_after_asking(organization: Organization, client: Client, address: str) -> None:
    page = text(client.get(address))
    assert "Replaced" in page
    assert "…wxyz" in page
    where = url("undo_replacement", organization, "openai")
    question = text(client.get(where))
    assert "The key …wxyz is used again" in question
    assert "The key …1111" in question
    assert ProviderCredential.objects.get().last4 == "1111"
    assert client.post(where).headers["Location"] == address
    assert ProviderCredential.objects.get().last4 == "wxyz"
    after = text(client.get(address))
    assert "…wxyz is in use again" in after
    assert "Bring it back" not in after
    assert client.get(where).status_code == 404
    assert "There is no replaced key to bring back" in text(client.post(where, follow=True))


@pytest.mark.usefixtures("replaced")
def test_after_24_hours_there_is_nothing_to_bring_back(
    organization: Organization, client: Client, address: str
) -> None:
    SupersededKey.objects.update(undo_until=timezone.now() - timedelta(seconds=1))
    assert "Bring it back" not in text(client.get(address))
    where = url("undo_replacement", organization, "openai")
    assert client.get(where).status_code == 404
    client.post(where)
    assert ProviderCredential.objects.get().last4 == "1111"


@pytest.mark.usefixtures("replaced")
def test_a_key_whose_secret_is_gone_stays_replaced(organization: Organization, client: Client, address: str) -> None:
    SupersededKey.objects.update(sealed_key="v1:00000000:AAAA:AAAA")
    answer = client.post(url("undo_replacement", organization, "openai"), follow=True)
    assert "can no longer be opened" in text(answer)
    assert ProviderCredential.objects.get().last4 == "1111"
    assert get_ai_config(organization).version == 2


@pytest.mark.usefixtures("replaced")
def test_bringing_back_asks_for_a_recent_sign_in(organization: Organization, client: Client) -> None:
    sign_in_grows_old(client)
    where = url("undo_replacement", organization, "openai")
    for answer in (client.get(where), client.post(where)):
        assert answer.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert ProviderCredential.objects.get().last4 == "1111"


# --- What is confirmed, and what is there by then ---------------------------------------


def test_removing_takes_away_only_the_key_that_was_asked_about(
    organization: Organization, client: Client, address: str
) -> None:
    client.post(address, fields())
    asked_about = ProviderCredential.objects.get().saved_at.isoformat()
    remove = url("remove_key", organization, "openai")
    assert f'value="{asked_about}"' in text(client.get(remove))
    client.post(address, fields(api_key=NEW, version=1))
    page = client.post(remove, {"saved_at": asked_about}, follow=True)
    assert "Somebody saved another OpenAI key while you were asked." in text(page)
    row = ProviderCredential.objects.get()
    assert row.last4 == NEW[-4:]
    client.post(remove, {"saved_at": row.saved_at.isoformat()})
    assert not ProviderCredential.objects.exists()


def test_bringing_back_is_about_the_replacement_that_was_asked_about(
    organization: Organization, client: Client, address: str
) -> None:
    client.post(address, fields())
    client.post(address, fields(api_key=NEW, version=1))
    asked_about = ProviderCredential.objects.get().saved_at.isoformat()
    undo = url("undo_replacement", organization, "openai")
    assert f'value="{asked_about}"' in text(client.get(undo))
    third = NEW[:-4] + "2222"
    client.post(address, fields(api_key=third, version=2))
    page = client.post(undo, {"saved_at": asked_about}, follow=True)
    assert "Somebody saved another OpenAI key while you were asked." in text(page)
    assert ProviderCredential.objects.get().last4 == "2222"
