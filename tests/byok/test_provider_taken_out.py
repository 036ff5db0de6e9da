"""Rows of a provider that was taken out of the registry: pages say so, and nobody else is kept from anything."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from byok.checking.rechecking import recheck_due
from byok.config.saving import save_ai_config
from byok.keys.notices import tell_admins
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import ApiToken, Organization, Role, Scope
from tests.byok.asked import Asked
from tests.byok.keys import KEYS
from tests.byok.pages import fields, text, url
from tests.clients import client_of
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(organization: Organization) -> Organization:
    """Acme, which chose a provider that is no longer there, and whose key was refused by it."""
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    AIConfig.objects.update(provider="mistral", embedding_provider="mistral", embedding_model="")
    ProviderCredential.objects.update(provider="mistral", status=CredentialStatus.REJECTED)
    return organization


@pytest.mark.parametrize(
    "name",
    [
        "byok:settings",
        "byok:onboarding_ai",
        "byok:onboarding_done",
        "usage:dashboard",
        "tenants:members",
        "leads:knowledge",
    ],
)
def test_every_page_still_opens(acme: Organization, name: str) -> None:
    assert client_of(acme).get(reverse(name, args=[acme.slug])).status_code == 200


def test_the_settings_page_names_it_and_does_not_call_it_the_platforms_ai(acme: Organization) -> None:
    page = text(client_of(acme).get(url("settings", acme)))
    assert "mistral (no longer offered)" in page
    assert "<dd>Platform AI</dd>" not in page
    assert url("recheck_key", acme, "mistral") not in page


def test_its_key_cannot_be_checked_and_can_be_removed(acme: Organization) -> None:
    client = client_of(acme)
    assert client.post(url("recheck_key", acme, "mistral")).status_code == 404
    assert client.get(url("remove_key", acme, "mistral")).status_code == 200
    assert client.get(url("undo_replacement", acme, "mistral")).status_code == 404
    assert client.post(url("remove_key", acme, "mistral")).status_code == 302
    assert not ProviderCredential.objects.exists()


def test_another_provider_can_be_chosen(acme: Organization, asked: Asked) -> None:
    client = client_of(acme)
    assert client.post(url("settings", acme), fields(version=0)).status_code == 409
    assert client.post(url("settings", acme), fields(version=1)).status_code == 302
    assert AIConfig.objects.get().provider == "openai"


def test_the_api_tells_what_was_chosen(acme: Organization) -> None:
    _, token = ApiToken.issue(acme, name="Test", scopes=[Scope.CONFIG_READ], created_by=None)
    answer = Client().get("/api/ai-config", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert json.loads(answer.content)["provider"] == "mistral"


def test_support_still_sees_the_organisation(acme: Organization) -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    for address in (
        reverse("admin:tenants_organization_changelist"),
        reverse("admin:tenants_organization_change", args=[acme.pk]),
        reverse("admin:byok_providercredential_change", args=[ProviderCredential.objects.get().pk]),
    ):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "mistral" in answer.content.decode()


def test_the_admins_of_others_are_told_all_the_same(acme: Organization, mailoutbox: list[Any]) -> None:
    MembershipFactory(organization=acme, role=Role.ADMIN)
    other = MembershipFactory(organization=OrganizationFactory(), role=Role.ADMIN)
    save_ai_config(other.organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    ProviderCredential.objects.filter(organization=other.organization).update(status=CredentialStatus.REJECTED)
    assert tell_admins() == 1
    assert [mail.to for mail in mailoutbox] == [[other.user.email]]


def test_only_keys_of_offered_providers_are_looked_at_again(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = OrganizationFactory()
    save_ai_config(other, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    monkeypatch.setattr("byok.checking.rechecking.test_ai_connection", asked := Asked())
    assert recheck_due() == 1
    assert [call["provider"] for call in asked.calls] == ["openai"]
