"""Saving and reading an organisation's AI configuration."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from byok.config.ai_config import byok_allowed, get_ai_config
from byok.config.saving import KEEP, ConfigConflict, save_ai_config
from byok.config.values import InvalidConfig
from byok.encryption import decrypt_api_key, fingerprint
from byok.keys.stored import remove_api_key
from byok.models import AIConfig, CredentialStatus, ProviderCredential
from leadagent.tenants.models import AuditEvent, Organization
from tests.byok.keys import KEYS
from tests.byok.stored_key import opened
from tests.factories import OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db


def save(organization: Organization, provider: str = "openai", **fields: Any) -> AIConfig:
    return save_ai_config(
        organization, provider=provider, **{"chat_model": "openai/gpt-4o", "api_key": KEYS.get(provider)} | fields
    )


def test_no_row_means_the_platforms_default(organization: Organization, settings: Settings) -> None:
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model) == ("platform_default", settings.PLATFORM_CHAT_MODEL)
    assert (config.embedding_provider, config.embedding_model) == (
        "platform_default",
        settings.PLATFORM_EMBEDDING_MODEL,
    )
    assert (config.is_customer_key, config.version, config.credential) == (False, 0, None)


def test_what_is_saved_is_read(organization: Organization) -> None:
    person = UserFactory()
    save(
        organization,
        "openrouter",
        chat_model=" openai/gpt-5 ",
        openrouter_site_url="https://acme.test",
        openrouter_site_name="Acme",
        usage_tracking=False,
        actor=person,
    )
    config = get_ai_config(organization)
    assert (config.provider, config.chat_model, config.is_customer_key) == ("openrouter", "openai/gpt-5", True)
    assert (config.embedding_provider, config.embedding_model) == ("openrouter", "openai/text-embedding-3-small")
    assert (config.openrouter_site_url, config.openrouter_site_name) == ("https://acme.test", "Acme")
    assert (config.usage_tracking, config.version) == (False, 1)
    credential = config.credential
    assert credential is not None
    assert (credential.prefix, credential.last4, credential.created_by) == ("sk-or-v1-", "wxyz", person)
    assert credential.fingerprint == fingerprint(KEYS["openrouter"])
    assert credential.status == CredentialStatus.UNTESTED
    assert opened(organization, "openrouter") == KEYS["openrouter"]
    assert KEYS["openrouter"] not in str(credential.__dict__) + str(credential) + repr(config)


def test_an_older_version_conflicts_and_changes_nothing(organization: Organization) -> None:
    save(organization, version=0)
    save(organization, version=1, chat_model="gpt-5")
    with pytest.raises(ConfigConflict):
        save(organization, version=1, chat_model="gpt-4o", api_key=KEYS["openai"][:-4] + "9999")
    assert get_ai_config(organization).chat_model == "gpt-5"
    assert opened(organization, "openai") == KEYS["openai"]
    with pytest.raises(ConfigConflict):
        save(OrganizationFactory(), version=1)
    assert save(organization).version == 3


def test_a_key_is_kept_replaced_and_removed(organization: Organization) -> None:
    save(organization)
    ProviderCredential.objects.update(status=CredentialStatus.OK, status_message="fine")
    before = ProviderCredential.objects.get()
    save(organization, api_key=KEEP, chat_model="gpt-5")
    kept = ProviderCredential.objects.get()
    assert (kept.sealed_key, kept.status) == (before.sealed_key, CredentialStatus.OK)

    other = KEYS["openai"][:-4] + "9999"
    save(organization, api_key=f"  {other} ")
    replaced = ProviderCredential.objects.get()
    assert (replaced.pk, replaced.last4, replaced.status) == (before.pk, "9999", CredentialStatus.UNTESTED)
    assert replaced.status_message == ""
    assert opened(organization, "openai") == other

    save(organization, api_key=None)
    assert not ProviderCredential.objects.exists()
    assert get_ai_config(organization).provider == "openai", "no other key takes its place"


def test_a_provider_needs_its_key(organization: Organization) -> None:
    with pytest.raises(InvalidConfig, match="Enter your OpenAI key") as refused:
        save(organization, api_key=KEEP)
    assert refused.value.field == "api_key"
    assert not AIConfig.objects.exists()
    assert not AuditEvent.objects.exists()
    save(organization)
    with pytest.raises(InvalidConfig, match="Enter your Anthropic key"):
        save(organization, "anthropic", api_key=KEEP)
    assert get_ai_config(organization).provider == "openai"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (KEYS["anthropic"], "looks like an Anthropic key"),
        ("sk-proj-short", "too short"),
        ("", "look like"),
        ("sk-proj-0123456789\n0123456789", "one line"),
        ("sk-proj-0123456789 0123456789", "one line"),
        ("sk-proj-0123456789é123456789", "one line"),
        ("sk-proj-" + "0" * 500, "one line"),
    ],
)
def test_what_cannot_be_a_key_is_not_stored(organization: Organization, key: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as refused:
        save(organization, api_key=key)
    assert refused.value.field == "api_key"
    assert not key or key not in str(refused.value)
    assert not ProviderCredential.objects.exists()
    assert not AIConfig.objects.exists()


@pytest.mark.parametrize(
    ("provider", "fields", "field"),
    [
        ("nowhere", {}, "provider"),
        ("openai", {"chat_model": "  "}, "chat_model"),
        ("openrouter", {"chat_model": "gpt-4o"}, "chat_model"),
        ("openai", {"embedding_provider": "anthropic"}, "embedding_provider"),
        ("openai", {"embedding_provider": "nowhere"}, "embedding_provider"),
        # Embeddings are paid with a key too.
        ("anthropic", {"embedding_provider": "openai"}, "embedding_provider"),
    ],
)
def test_invalid_choices(organization: Organization, provider: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        save(organization, provider, **fields)
    assert refused.value.field == field
    assert not AIConfig.objects.exists()
    assert not ProviderCredential.objects.exists()


def test_anthropic_has_no_embeddings_until_another_key_is_there(organization: Organization) -> None:
    save(organization, "anthropic", chat_model="claude-haiku-4-5")
    assert get_ai_config(organization).embedding_provider == ""
    save(organization, "openai")
    save(organization, "anthropic", chat_model="claude-haiku-4-5", embedding_provider="openai")
    config = get_ai_config(organization)
    assert (config.embedding_provider, config.embedding_model) == ("openai", "text-embedding-3-small")
    assert set(config.credentials) == {"openai", "anthropic"}


def test_going_back_to_the_platform_leaves_keys_alone(organization: Organization) -> None:
    save(organization)
    save_ai_config(organization, provider="platform_default")
    assert get_ai_config(organization).provider == "platform_default"
    assert opened(organization, "openai") == KEYS["openai"]


def test_the_operator_may_switch_own_keys_off(organization: Organization, settings: Settings) -> None:
    save(organization)
    settings.BYOK_ALLOWED_ORGS = frozenset({"others"})
    assert not byok_allowed(organization)
    assert get_ai_config(organization).provider == "platform_default"
    settings.BYOK_ALLOWED_ORGS = frozenset({organization.slug})
    assert get_ai_config(organization).provider == "openai"
    settings.BYOK_ENABLED = False
    config = get_ai_config(organization)
    assert (config.provider, config.is_customer_key) == ("platform_default", False)
    assert opened(organization, "openai") == KEYS["openai"]


def test_the_audit_log_tells_what_was_done_and_no_secret(organization: Organization) -> None:
    person = UserFactory(email="ann@acme.test")
    save(organization, actor=person)
    save(organization, actor=person, chat_model="gpt-5", api_key=KEYS["openai"][:-4] + "9999")
    remove_api_key(organization, "openai", actor=person)
    events = list(AuditEvent.objects.order_by("id"))
    assert [(event.action, event.target, event.actor_label) for event in events] == [
        (action, "openai", "ann@acme.test")
        for action in (
            "ai_config.saved",
            "credential.saved",
            "ai_config.saved",
            "credential.replaced",
            "credential.removed",
        )
    ]
    assert events[2].before["chat_model"] == "openai/gpt-4o"  # type: ignore[index]
    assert events[2].after["chat_model"] == "gpt-5"  # type: ignore[index]
    assert (events[3].before, events[3].after) == (
        {"last4": "wxyz", "status": "untested"},
        {"last4": "9999", "status": "untested"},
    )
    told = json.dumps([[event.before, event.after] for event in events])
    assert "sk-proj" not in told
    assert "v1:" not in told


def test_each_organisation_has_its_own(organization: Organization) -> None:
    other = OrganizationFactory()
    save(organization)
    assert get_ai_config(other).credentials == {}
    remove_api_key(other, "openai")
    assert ProviderCredential.objects.count() == 1
    save(other, api_key=KEYS["openai"])
    first, second = ProviderCredential.objects.order_by("organization_id")
    # Bound to its row: swapped, neither opens.
    first.sealed_key, second.sealed_key = second.sealed_key, first.sealed_key
    for row in (first, second):
        with pytest.raises(Exception, match="belongs to another row"):
            decrypt_api_key(row.sealed_key, binding=row.binding)
