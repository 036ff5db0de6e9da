"""The AI settings page: who may, what is saved, and that a key is never shown."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from byok.config import get_ai_config, save_ai_config
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.byok.keys import KEYS
from tests.factories import MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(organization: Organization) -> str:
    return reverse("byok:settings", args=[organization.slug])


def client_of(organization: Organization, role: Role = Role.ADMIN) -> Client:
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=role).user)
    return client


@pytest.fixture
def client(organization: Organization) -> Client:
    return client_of(organization)


def text(response: Any) -> str:
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def fields(provider: str = "openai", **changed: Any) -> dict[str, Any]:
    models = {"openai": "gpt-4o", "openrouter": "openai/gpt-4o", "anthropic": "claude-haiku-4-5"}
    return {
        "provider": provider,
        "api_key": KEYS.get(provider, ""),
        "chat_model": models.get(provider, ""),
        "embedding_provider": "" if provider in {"anthropic", "platform_default"} else provider,
        "embedding_model": "",
        "usage_tracking": "on",
        "version": 0,
    } | changed


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.MEMBER, 403), (Role.VIEWER, 403)])
def test_admins_only(organization: Organization, address: str, role: Role, status: int) -> None:
    client = client_of(organization, role)
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    remove = reverse("byok:remove_key", args=[organization.slug, "openai"])
    assert client.get(address).status_code == status
    assert client.get(remove).status_code == status
    if status == 403:
        assert client.post(address, fields()).status_code == 403
        assert client.post(remove).status_code == 403
        assert ProviderCredential.objects.count() == 1


def test_outsiders_find_nothing(organization: Organization, address: str) -> None:
    stranger = client_of(OrganizationFactory())
    assert stranger.get(address).status_code == 404
    assert stranger.post(address, fields()).status_code == 404
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize("provider", KEYS)
def test_saving_leads_back_and_shows_the_last_four(
    organization: Organization, client: Client, address: str, provider: str
) -> None:
    saved = client.post(address, fields(provider))
    assert (saved.status_code, saved.headers["Location"]) == (302, address)
    page = text(client.get(address))
    assert "The AI configuration is saved." in page
    credential = ProviderCredential.objects.get()
    assert credential.masked in page
    assert "wxyz" in page
    for secret in (KEYS[provider], credential.sealed_key, credential.fingerprint):
        assert secret not in page
    assert get_ai_config(organization).provider == provider
    assert set(AuditEvent.objects.values_list("ip_address", flat=True)) == {"127.0.0.1"}


def test_an_empty_key_keeps_the_stored_one(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    assert client.post(address, fields(api_key="", chat_model="gpt-5", version=1)).status_code == 302
    assert get_ai_config(organization).chat_model == "gpt-5"
    assert ProviderCredential.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"api_key": KEYS["anthropic"]}, "looks like an Anthropic key"),
        ({"api_key": "sk-proj-short"}, "too short"),
        ({"api_key": ""}, "Enter your OpenAI key"),
        ({"chat_model": ""}, ""),
        ({"provider": "nowhere"}, ""),
        ({"version": "x"}, ""),
        ({"embedding_provider": "openrouter"}, ""),
        ({"provider": "openrouter", "api_key": KEYS["openrouter"], "chat_model": "gpt-4o"}, "vendor/model"),
        ({"openrouter_site_url": "not an address"}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("htmx", [False, True])
def test_what_cannot_be_saved_is_told_without_the_key(
    client: Client, address: str, changed: dict[str, Any], words: str, htmx: bool
) -> None:
    posted = fields(**changed)
    answer = client.post(address, posted, headers={"HX-Request": "true"} if htmx else {})
    page = text(answer)
    assert answer.status_code == 422
    assert words in page
    assert ("<html" in page) is not htmx
    assert "aria-invalid" in page or "error" in page
    for key in {posted["api_key"], *KEYS.values()} - {""}:
        assert key not in page
    assert not AIConfig.objects.exists()
    assert not ProviderCredential.objects.exists()


@pytest.mark.parametrize("provider", [*KEYS, "platform_default"])
def test_another_provider_is_shown_before_it_is_saved(client: Client, address: str, provider: str) -> None:
    part = text(client.get(address, {"provider": provider}, headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert 'id="config-form"' in part
    assert ('name="api_key"' in part) is (provider != "platform_default")
    whole = text(client.get(address, {"provider": provider}))
    assert "<html" in whole
    assert not AIConfig.objects.exists()
    labels = {"openai": "OpenAI API key", "openrouter": "OpenRouter API key", "anthropic": "Anthropic API key"}
    assert labels.get(provider, "") in part
    if provider == "anthropic":
        assert "offers no embeddings" in part


def test_an_unknown_provider_in_the_address_is_ignored(client: Client, address: str) -> None:
    assert client.get(address, {"provider": "<script>"}).status_code == 200


def test_a_save_from_an_older_page_is_told_and_the_next_one_works(
    organization: Organization, client: Client, address: str
) -> None:
    client.post(address, fields())
    answer = client.post(address, fields(chat_model="gpt-5", version=0))
    page = text(answer)
    assert answer.status_code == 422
    assert "Somebody else saved" in page
    assert KEYS["openai"] not in page
    assert get_ai_config(organization).chat_model == "gpt-4o"
    assert 'name="version" value="1"' in page
    assert client.post(address, fields(chat_model="gpt-5", version=1)).status_code == 302


def test_going_back_to_the_platform(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    assert client.post(address, fields("platform_default", version=1)).status_code == 302
    assert get_ai_config(organization).provider == "platform_default"
    page = text(client.get(address))
    assert "Free tier" in page
    assert "0 of 50" in page
    assert "Also stored" in page


@pytest.mark.parametrize("status", CredentialStatus)
def test_every_state_of_a_key_is_shown(
    organization: Organization, client: Client, address: str, status: CredentialStatus
) -> None:
    client.post(address, fields())
    ProviderCredential.objects.update(status=status, status_message="What to do next.")
    page = text(client.get(address))
    assert status.label in page
    assert "What to do next." in page


def test_a_key_is_removed_after_asking(organization: Organization, client: Client, address: str) -> None:
    client.post(address, fields())
    remove = reverse("byok:remove_key", args=[organization.slug, "openai"])
    assert "Remove the OpenAI key?" in text(client.get(remove))
    assert ProviderCredential.objects.count() == 1
    answer = client.post(remove)
    assert (answer.status_code, answer.headers["Location"]) == (302, address)
    assert not ProviderCredential.objects.exists()
    page = text(client.get(address))
    assert "The OpenAI key is removed." in page
    assert "No key" in page
    assert client.get(remove).status_code == 404
    assert client.post(remove).status_code == 404


@pytest.mark.parametrize("provider", ["anthropic", "nowhere", "platform_default"])
def test_there_is_no_removing_what_is_not_there(organization: Organization, client: Client, provider: str) -> None:
    assert client.post(reverse("byok:remove_key", args=[organization.slug, provider])).status_code == 404


def test_with_own_keys_switched_off_nothing_is_saved(
    organization: Organization, client: Client, address: str, settings: Settings
) -> None:
    client.post(address, fields())
    settings.BYOK_ENABLED = False
    page = text(client.get(address))
    assert "Own keys are not enabled" in page
    assert 'name="api_key"' not in page
    client.post(address, fields("anthropic", version=1))
    assert AIConfig.objects.get().provider == "openai"
    assert ProviderCredential.objects.count() == 1


def test_the_page_is_not_kept_by_browsers(client: Client, address: str) -> None:
    answer = client.get(address)
    assert "no-store" in answer.headers["Cache-Control"]
    assert 'hx-history="false"' in text(answer)


def test_a_post_without_its_token_is_refused(organization: Organization, address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    assert strict.post(address, fields()).status_code == 403
    assert not AIConfig.objects.exists()


def test_a_key_is_neither_saved_nor_removed_long_after_the_sign_in(
    organization: Organization, client: Client, address: str
) -> None:
    """What was typed in stays in the form, apart from the key; nothing is kept in the session."""
    client.post(address, fields())
    session = client.session
    session["signed_in_at"] = 0
    session.save()
    page = text(client.get(address))
    assert reverse("account_reauthenticate") in page
    refused = client.post(address, fields(chat_model="gpt-5-mini", api_key=KEYS["openai"], version=1))
    assert refused.status_code == 422
    assert "Confirm who you are" in text(refused)
    assert "gpt-5-mini" in text(refused)
    assert KEYS["openai"] not in text(refused)
    assert KEYS["openai"] not in str(dict(client.session))
    assert get_ai_config(organization).version == 1
    removal = client.post(reverse("byok:remove_key", args=[organization.slug, "openai"]))
    assert removal.status_code == 302
    assert removal.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert ProviderCredential.objects.count() == 1
