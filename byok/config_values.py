"""What a configuration may hold: each rule says at which field it was broken, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, URLValidator

from byok.models import PLATFORM_DEFAULT, FallbackConsent
from byok.providers import REGISTRY
from leadagent.logs import scrub
from usage.alerting.alerts import CostAlertChoice

# What a chat model is used for, and all that leaves usage rows.
CHAT_OPERATIONS = ("research", "qualification", "email_generation")
OPERATIONS = (*CHAT_OPERATIONS, "embedding")


class InvalidConfig(Exception):
    """A value that cannot be saved. `field` says where it was given, the message how to mend it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def is_key_shaped(value: object) -> bool:
    """Whether a text holds what may be a key, ours or a provider's."""
    return isinstance(value, str) and scrub(value) != value


def refuse_key(field: str, text: str) -> None:
    """A name is one line of text, and no key: in the wrong field that would be stored, shown and sent as a name."""
    if not text.isprintable():
        raise InvalidConfig(field, "Use one line of plain text.")
    if is_key_shaped(text):
        raise InvalidConfig(field, "This looks like a key. A key belongs in the key field only.")


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
    """An alert that is on has a sum and an address."""
    if choice.monthly_threshold is not None and not Decimal("0.01") <= choice.monthly_threshold < 10**10:
        raise InvalidConfig("cost_alert_threshold", "Enter a sum in dollars, of at least $0.01.")
    if choice.email:
        try:
            EmailValidator()(choice.email)
        except ValidationError:
            raise InvalidConfig("cost_alert_email", "Enter an email address, like name@example.com.") from None
    if choice.enabled and choice.monthly_threshold is None:
        raise InvalidConfig("cost_alert_threshold", "Enter the monthly sum at which you want to be told.")
    if choice.enabled and not choice.email:
        raise InvalidConfig("cost_alert_email", "Enter the address that is to be told.")


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
