"""What a configuration may hold: each rule says at which field it was broken, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from byok.models import PLATFORM_DEFAULT, FallbackConsent
from byok.providers import REGISTRY
from leadagent.tenants.misplaced_keys import refusal_of_name
from usage.alerting import cost_alert
from usage.alerting.cost_alert import CostAlertChoice

# What a chat model is used for, and all that leaves usage rows.
CHAT_OPERATIONS = ("research", "qualification", "email_generation")
OPERATIONS = (*CHAT_OPERATIONS, "embedding")
# How many models may take over from an operation's own, in their order.
MAX_FURTHER_MODELS = 3


class InvalidConfig(Exception):
    """A value that cannot be saved. `field` says where it was given, the message how to mend it.

    `value`: which one it is, where a field holds several.
    """

    def __init__(self, field: str, message: str, *, value: str = "") -> None:
        self.field = field
        self.value = value
        super().__init__(message)


def refuse_key(field: str, text: str) -> None:
    """A name is one line of text, and no key: in the wrong field that would be stored, shown and sent as a name."""
    if wrong := refusal_of_name(text):
        raise InvalidConfig(field, wrong)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The models of a configuration as they are stored; None keeps what is stored for the operations."""

    chat: str
    embedding_provider: str
    embedding: str
    per_operation: dict[str, str] | None
    further: dict[str, list[str]] | None


def validated_choice(
    provider: str,
    *,
    chat_model: str,
    embedding_provider: str | None,
    embedding_model: str,
    operation_models: Mapping[str, str] | None,
    further_models: Mapping[str, Sequence[str]] | None,
) -> ModelChoice:
    """The models of a save (see `save_ai_config`); raises `InvalidConfig` at the field of the first that cannot be."""
    chat, source, embedding = validated_models(provider, chat_model, embedding_provider, embedding_model)
    per_operation, further = None, None
    if operation_models is not None:
        per_operation = validated_operation_models(provider, operation_models)
    if further_models is not None:
        further = validated_further_models(
            provider, further_models, embedding_provider=source, embedding_model=embedding
        )
    return ModelChoice(chat, source, embedding, per_operation, further)


def validated_models(
    provider: str, chat_model: str, embedding_provider: str | None, embedding_model: str
) -> tuple[str, str, str]:
    """Chat model, embedding provider and embedding model as they are stored."""
    if provider == PLATFORM_DEFAULT:
        return "", PLATFORM_DEFAULT, ""
    if provider not in REGISTRY:
        raise InvalidConfig("provider", "Choose one of the providers.")
    entry = REGISTRY[provider]
    refuse_key("chat_model", chat_model)
    refuse_key("embedding_model", embedding_model)
    if not chat_model.strip():
        raise InvalidConfig("chat_model", "Choose a chat model.")
    try:
        chat_model = entry.check_model(chat_model)
    except ValueError as exc:
        raise InvalidConfig("chat_model", str(exc)) from None
    if embedding_provider is None:
        embedding_provider = provider if entry.offers_embeddings else ""
    if not embedding_provider or embedding_provider == PLATFORM_DEFAULT:
        return chat_model, embedding_provider, ""
    if embedding_provider not in REGISTRY or not REGISTRY[embedding_provider].offers_embeddings:
        raise InvalidConfig("embedding_provider", "This provider offers no embeddings.")
    embedding_entry = REGISTRY[embedding_provider]
    return (
        chat_model,
        embedding_provider,
        embedding_model.strip() or embedding_entry.embedding_models[0],
    )


def check_site(url: str, name: str) -> None:
    """What is sent to OpenRouter as the name and address of this application."""
    refuse_key("openrouter_site_url", url)
    refuse_key("openrouter_site_name", name)
    if url:
        try:
            URLValidator(schemes=["http", "https"])(url)
        except ValidationError:
            raise InvalidConfig("openrouter_site_url", "Enter a whole address, like https://example.com.") from None
    if len(url) > 200:
        raise InvalidConfig("openrouter_site_url", "This address is longer than 200 characters.")
    if len(name) > 80 or any(not character.isprintable() for character in name):
        raise InvalidConfig("openrouter_site_name", "Use at most 80 characters on one line.")


def check_cost_alert(choice: CostAlertChoice) -> None:
    """The rules of `usage.alerting.cost_alert`, told as those of a configuration."""
    try:
        cost_alert.check_cost_alert(choice)
    except cost_alert.InvalidCostAlert as invalid:
        raise InvalidConfig(f"cost_alert_{invalid.field}", str(invalid)) from None


def validated_operation_models(provider: str, given: Mapping[str, str]) -> dict[str, str]:
    """Only what differs from the chat model is named; an empty name means the chat model."""
    if provider == PLATFORM_DEFAULT:
        return {}
    models = {}
    for operation, name in given.items():
        if operation not in CHAT_OPERATIONS:
            raise InvalidConfig("operation_models", f"The chat operations are {', '.join(CHAT_OPERATIONS)}.")
        refuse_key(f"model_{operation}", name)
        if name.strip():
            try:
                models[operation] = REGISTRY[provider].check_model(name)
            except ValueError as exc:
                raise InvalidConfig(f"model_{operation}", str(exc)) from None
    return models


def validated_further_models(
    provider: str, given: Mapping[str, Sequence[str]], *, embedding_provider: str, embedding_model: str
) -> dict[str, list[str]]:
    """Per operation the models that take over, in order, each once; operations without any are left out."""
    if provider == PLATFORM_DEFAULT:
        return {}
    models = {}
    for operation, names in given.items():
        if operation not in OPERATIONS:
            raise InvalidConfig("further_models", f"The operations are {', '.join(OPERATIONS)}.")
        field = f"further_{operation}"
        for name in names:
            refuse_key(field, name)
        named = list(dict.fromkeys(name.strip() for name in names if name.strip()))
        if len(named) > MAX_FURTHER_MODELS:
            raise InvalidConfig(field, f"At most {MAX_FURTHER_MODELS} models can take over.")
        if operation == "embedding":
            _check_embeds_alike(named, embedding_provider, embedding_model)
        else:
            named = [_checked_model(provider, field, name) for name in named]
        if named:
            models[operation] = named
    return models


def _checked_model(provider: str, field: str, name: str) -> str:
    try:
        return REGISTRY[provider].check_model(name)
    except ValueError as exc:
        raise InvalidConfig(field, str(exc), value=name) from None


def compares_with(model: str, other: str) -> bool:
    """Whether the vectors of two embedding models compare: only the same model's do, whoever serves it."""
    return bare_model_name(model) == bare_model_name(other)


def bare_model_name(name: str) -> str:
    """A model's name without its vendor: the name by which its vectors compare, whoever served them."""
    return name.rpartition("/")[2]


def _check_embeds_alike(named: Sequence[str], provider: str, model: str) -> None:
    if named and provider not in REGISTRY:
        raise InvalidConfig("further_embedding", "Choose a provider for embeddings first.")
    if not all(compares_with(model, name) for name in named):
        raise InvalidConfig(
            "further_embedding",
            f"Only the same model can take over from {model}, served under another name: "
            "vectors of two models do not compare.",
        )


def validated_fallback(given: Mapping[str, str]) -> dict[str, str]:
    """Only consents beyond `never` are stored."""
    consents = {}
    for operation, consent in given.items():
        if operation not in OPERATIONS or consent not in FallbackConsent:
            raise InvalidConfig("fallback", "Choose never, ask or allow for each operation.")
        if consent != FallbackConsent.NEVER:
            consents[operation] = str(consent)
    return consents


def check_api_key(provider: str, api_key: str) -> str:
    """Return the visible prefix of a key that can be one of `provider`'s; raise `InvalidConfig` otherwise."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key or len(api_key) > 500:
        raise InvalidConfig(
            "api_key",
            "A key is one line of letters, digits and dashes. Paste it again.",
        )
    try:
        return REGISTRY[provider].check_key(api_key)
    except ValueError as exc:
        raise InvalidConfig("api_key", str(exc)) from None
