"""What each provider takes for a key and a model name."""

import pytest

from byok.models import provider_choices
from byok.providers import REGISTRY, WrongKey
from tests.byok.keys import KEYS


def test_the_registry_lists_what_the_models_know() -> None:
    assert list(REGISTRY) == [value for value, _ in provider_choices()] == list(KEYS)


@pytest.mark.parametrize(
    ("provider", "key", "prefix"),
    [
        ("openrouter", KEYS["openrouter"], "sk-or-v1-"),
        ("openai", KEYS["openai"], "sk-proj-"),
        ("openai", "sk-svcacct-0123456789abcdef", "sk-svcacct-"),
        ("openai", "sk-0123456789abcdef", "sk-"),
        ("anthropic", KEYS["anthropic"], "sk-ant-api03-"),
        ("anthropic", "sk-ant-0123456789abcdef", "sk-ant-"),
    ],
)
def test_a_key_shows_its_prefix(provider: str, key: str, prefix: str) -> None:
    assert REGISTRY[provider].check_key(key) == prefix


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("owner", KEYS)
def test_another_providers_key_is_named(provider: str, owner: str) -> None:
    if provider == owner:
        assert REGISTRY[provider].check_key(KEYS[owner])
        return
    with pytest.raises(WrongKey, match=f"looks like an {REGISTRY[owner].label} key") as refused:
        REGISTRY[provider].check_key(KEYS[owner])
    assert KEYS[owner] not in str(refused.value)


@pytest.mark.parametrize(
    ("provider", "key"), [("openai", "sk-admin-0123456789abcdef"), ("anthropic", "sk-ant-admin01-0123456789abcdef")]
)
def test_admin_keys_are_refused(provider: str, key: str) -> None:
    with pytest.raises(WrongKey, match="admin key"):
        REGISTRY[provider].check_key(key)


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("cut", [0, 1, 5])
def test_short_keys_and_other_texts_are_refused(provider: str, cut: int) -> None:
    entry = REGISTRY[provider]
    with pytest.raises(WrongKey, match="too short"):
        entry.check_key(entry.key_prefixes[0] + "x" * cut)
    with pytest.raises(WrongKey, match="look like"):
        entry.check_key("AIza0123456789abcdef0123456789")


@pytest.mark.parametrize(
    ("provider", "name", "known_as", "embedding"),
    [
        ("openai", "openai/gpt-4o", "gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o", "gpt-4o", "gpt-4o"),
        ("anthropic", "anthropic/claude-haiku-4-5", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("openrouter", "anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5"),
        ("openrouter", "openrouter/auto", "openrouter/auto", "openrouter/auto"),
        ("openrouter", "text-embedding-3-small", "text-embedding-3-small", "openai/text-embedding-3-small"),
        ("openai", "openai/text-embedding-3-small", "text-embedding-3-small", "text-embedding-3-small"),
    ],
)
def test_names_of_models(provider: str, name: str, known_as: str, embedding: str) -> None:
    assert REGISTRY[provider].model_id(name) == known_as
    assert REGISTRY[provider].embedding_model_id(name) == embedding


@pytest.mark.parametrize("name", ["gpt-4o", "/gpt", "openai/", "/", ""])
def test_openrouter_wants_vendor_and_model(name: str) -> None:
    with pytest.raises(ValueError, match="vendor/model"):
        REGISTRY["openrouter"].check_model(name)


@pytest.mark.parametrize("provider", KEYS)
def test_what_is_recommended_is_accepted(provider: str) -> None:
    entry = REGISTRY[provider]
    for name, _ in entry.chat_models:
        assert entry.check_model(f" {name} ") == name
    assert bool(entry.embedding_models) is entry.offers_embeddings
