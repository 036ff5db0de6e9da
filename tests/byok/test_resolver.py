"""From an organisation and a purpose to the model it may call."""

from typing import Any
from uuid import uuid4

import anthropic
import openai
import pytest
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.errors import AIError
from byok.keys.stored import remove_api_key
from byok.models import AIConfig, ProviderCredential
from byok.resolver import get_embedding_config, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.conftest import Tenant
from tests.byok.keys import KEYS, PLATFORM_KEY
from usage.models import KeyOwner

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("provider", "stored", "asked", "client", "async_client"),
    [
        ("openrouter", "anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5", openai.OpenAI, openai.AsyncOpenAI),
        ("openai", "openai/gpt-4o", "gpt-4o", openai.OpenAI, openai.AsyncOpenAI),
        (
            "anthropic",
            "anthropic/claude-haiku-4-5",
            "claude-haiku-4-5",
            anthropic.Anthropic,
            anthropic.AsyncAnthropic,
        ),
    ],
)
def test_the_official_client_of_the_chosen_provider(
    organization: Organization,
    settings: Settings,
    provider: str,
    stored: str,
    asked: str,
    client: type[Any],
    async_client: type[Any],
) -> None:
    save_ai_config(organization, provider=provider, chat_model=stored, api_key=KEYS[provider])
    lead, run = uuid4(), uuid4()
    model = get_model_for_tenant(organization, "chat", operation="research", lead=lead, run=run)
    assert (model.provider, model.model_id, model.kind, model.operation) == (provider, asked, "chat", "research")
    assert model.is_customer_key
    context = model.context
    assert (context.organization_id, context.lead_id, context.run_id) == (organization.pk, lead, run)
    assert context.key_owner is KeyOwner.CUSTOMER
    assert context.credential is not None
    assert context.credential.id == ProviderCredential.objects.get().pk
    for made, kind in ((model.client(), client), (model.async_client(), async_client)):
        assert type(made) is kind
        assert str(made.base_url).rstrip("/") == settings.PROVIDER_URLS[provider]
        assert made.api_key == "held-by-leadagent"
        assert made.max_retries == 0
        timeout: Any = made.timeout
        assert (timeout.connect, timeout.read) == (settings.AI_CONNECT_TIMEOUT, settings.AI_READ_TIMEOUT)
    assert model.model().model_name == asked
    assert KEYS[provider] not in repr(model)


def test_the_platforms_default(organization: Organization, settings: Settings) -> None:
    model = get_model_for_tenant(organization, "chat", operation="research")
    assert (model.provider, model.model_id) == (settings.PLATFORM_PROVIDER, settings.PLATFORM_CHAT_MODEL)
    assert (model.is_customer_key, model.context.key_owner) == (False, KeyOwner.PLATFORM)
    assert model.context.credential is None
    embedding = get_embedding_config(organization)
    assert (embedding.model_id, embedding.operation, embedding.kind) == (
        settings.PLATFORM_EMBEDDING_MODEL,
        "embedding",
        "embedding",
    )
    assert PLATFORM_KEY not in repr(model)


def test_an_operation_may_have_a_model_of_its_own(organization: Organization) -> None:
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    AIConfig.objects.update(operation_models={"research": "openai/gpt-5"})
    assert get_model_for_tenant(organization, "chat", operation="research").model_id == "gpt-5"
    assert get_model_for_tenant(organization, "chat", operation="qualification").model_id == "gpt-4o"


def test_embeddings_may_come_from_another_provider(organization: Organization, tenant: Tenant) -> None:
    tenant("openrouter")
    save_ai_config(
        organization,
        provider="anthropic",
        chat_model="claude-haiku-4-5",
        api_key=KEYS["anthropic"],
        embedding_provider="openrouter",
        embedding_model="text-embedding-3-small",
    )
    model = get_embedding_config(organization)
    assert (model.provider, model.model_id) == ("openrouter", "openai/text-embedding-3-small")
    assert (model.context.credential and model.context.credential.id) == ProviderCredential.objects.get(
        provider="openrouter"
    ).pk
    with pytest.raises(ValueError, match="Only a chat model"):
        model.model()


def refusal(organization: Organization, kind: Any = "chat") -> AIError:
    with pytest.raises(AIError) as refused:
        get_model_for_tenant(organization, kind, operation="x")
    assert refused.value.code == "config_missing"
    assert refused.value.permanent
    assert refused.value.needs_admin
    return refused.value


def test_typed_refusals(organization: Organization, tenant: Tenant, settings: Settings) -> None:
    settings.PLATFORM_KEYS = dict.fromkeys(KEYS, "")
    assert "platform's own AI is not set up" in refusal(organization).sentence
    tenant("anthropic")
    assert "Anthropic offers no embeddings" in refusal(organization, "embedding").sentence
    # The platform's keys are back, and are no way out.
    settings.PLATFORM_KEYS = dict.fromkeys(KEYS, PLATFORM_KEY)
    remove_api_key(organization, "anthropic")
    assert refusal(organization).provider == "anthropic"


def test_resolving_opens_no_key(organization: Organization, tenant: Tenant, settings: Settings) -> None:
    tenant("openai")
    settings.ENCRYPTION_SECRET = "0123456789abcdef" * 4
    assert get_model_for_tenant(organization, "chat", operation="x").provider == "openai"
