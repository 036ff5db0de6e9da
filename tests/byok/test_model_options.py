"""The models one can choose: the list, the search, and the recommendations."""

import re
from decimal import Decimal

import pytest

from byok.catalog.offered_models import ModelOption, count_models, find_model, search_models
from byok.catalog.recommendations import (
    recommended_chat_model,
    recommended_embedding_model,
    recommended_models,
    recommended_values,
)
from byok.config.values import CHAT_OPERATIONS
from byok.pricing import list_pricing
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization, Role
from tests.byok.pages import text, url
from tests.clients import client_of

pytestmark = pytest.mark.django_db


def test_recommended_models_come_first_with_their_reason() -> None:
    for provider, entry in REGISTRY.items():
        first = search_models(provider, "chat", limit=len(entry.chat_models))
        assert [(option.id, option.reason) for option in first] == list(entry.chat_models)


def test_every_word_narrows_the_search() -> None:
    found = search_models("openrouter", "chat", "gemini FLASH")
    assert found
    assert all("gemini" in option.id and "flash" in option.id for option in found)
    assert search_models("openrouter", "chat", "no such model anywhere") == []
    assert len(search_models("openrouter", "chat", limit=7)) == 7


def test_prices_are_those_that_calls_are_booked_with() -> None:
    for provider in REGISTRY:
        for option in search_models(provider, "chat", limit=8):
            pricing = list_pricing(provider, option.id)
            if pricing is not None and not option.id.endswith(":free"):
                assert (option.price_in, option.price_out) == (pricing.input, pricing.output), option.id


@pytest.mark.parametrize("provider", REGISTRY)
def test_only_models_that_talk_and_whose_name_can_be_saved_are_offered(provider: str) -> None:
    for option in search_models(provider, "chat", limit=10_000):
        assert REGISTRY[provider].check_model(option.id) == option.id
        assert not re.search(r"embedding|whisper|tts|:batch|realtime|-image", option.id), option.id
    assert (
        len({option.id for option in search_models(provider, "chat", limit=10_000)}) == count_models("chat")[provider]
    )


def test_embedding_models_have_the_vendors_price() -> None:
    direct, resold = search_models("openai", "embedding")[0], search_models("openrouter", "embedding")[0]
    assert direct.price_in == resold.price_in == Decimal("0.02")
    assert resold.id == "openai/text-embedding-3-small"
    assert search_models("anthropic", "embedding") == []


def test_a_model_is_found_by_the_name_that_is_stored() -> None:
    assert find_model("openrouter", "embedding", "text-embedding-3-small") is not None
    assert find_model("openai", "chat", "openai/gpt-5") == find_model("openai", "chat", "gpt-5")
    assert find_model("openai", "chat", "gpt-nothing") is None
    assert find_model("platform_default", "chat", "gpt-5") is None
    assert search_models("platform_default", "chat") == []


@pytest.mark.parametrize("provider", REGISTRY)
def test_recommendations_name_models_that_are_on_the_list(provider: str) -> None:
    lines = recommended_models(provider)
    expected = [*CHAT_OPERATIONS, *(["embedding"] if REGISTRY[provider].offers_embeddings else [])]
    assert sorted(line.operation for line in lines) == sorted(expected)
    assert all(line.option.price_in is not None and line.reason for line in lines)
    values = recommended_values(provider)
    assert values["chat_model"]
    assert ("embedding_model" in values) is REGISTRY[provider].offers_embeddings


def test_the_platform_has_nothing_to_recommend() -> None:
    assert recommended_models("platform_default") == []
    assert recommended_values("platform_default") == {}


def test_options_show_price_context_and_reason(organization: Organization) -> None:
    client = client_of(organization)
    where = url("model_options", organization)
    part = text(client.get(where, {"provider": "openrouter", "kind": "chat", "q": "claude-sonnet-5.5"}))
    option = find_model("openrouter", "chat", "anthropic/claude-sonnet-5.5")
    assert isinstance(option, ModelOption)
    assert 'data-value="anthropic/claude-sonnet-5.5"' in part
    assert "$2.00 in, $10.00 out per 1M tokens" in part
    assert "1M context" in part
    assert "Recommended: best quality" in part
    assert "<html" not in part
    assert "There are more" in text(client.get(where, {"provider": "openrouter"}))
    assert "No model of that name" in text(client.get(where, {"provider": "openrouter", "q": "<script>"}))
    assert "data-value" not in text(client.get(where, {"provider": "nowhere"}))
    assert "text-embedding-3-large" in text(client.get(where, {"provider": "openai", "kind": "embedding"}))
    assert client.post(where).status_code == 405


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_options_are_for_admins(organization: Organization, role: Role) -> None:
    assert client_of(organization, role).get(url("model_options", organization)).status_code == 403


def test_a_browser_that_searches_sends_no_key(organization: Organization) -> None:
    """The search is a GET: nothing of the form may be in its address. Our script names what it sends; htmx would add."""
    page = text(client_of(organization).get(url("settings", organization), {"provider": "openrouter"}))
    comboboxes = re.findall(r"<input[^>]*role=.combobox.[^>]*>", page)
    # Chat, embedding, and for each of three operations its own model and a further one.
    assert len(comboboxes) == 8
    assert not [field for field in comboboxes if "hx-" in field]


@pytest.mark.parametrize("provider", REGISTRY)
def test_every_page_recommends_the_same_models(organization: Organization, provider: str) -> None:
    """The table of recommendations, the list's first places, the form for a new provider and the wizard agree."""
    entry = REGISTRY[provider]
    listed = [name for name, _ in entry.chat_models]
    assert listed[0] == recommended_chat_model(provider)
    named = {line.option.id for line in recommended_models(provider) if line.operation in CHAT_OPERATIONS}
    assert named <= set(listed)
    assert recommended_embedding_model(provider) == (entry.embedding_models[0] if entry.offers_embeddings else "")
    page = text(client_of(organization).get(url("settings", organization), {"provider": provider}))
    assert re.search(rf'name="chat_model"[^>]*value="{re.escape(listed[0])}"', page)


def test_old_names_of_openai_are_written_like_the_new_ones() -> None:
    option = find_model("openai", "chat", "gpt-4o")
    assert option is not None
    assert option.name == "GPT-4o"
