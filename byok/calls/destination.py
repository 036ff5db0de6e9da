"""Where a call goes: which provider, which model, whose key. As configured, or as is wished in place of that.

Everything here raises `AIError` where the organisation may not call what it asks for.
"""

from __future__ import annotations

from django.conf import settings

from byok.calls.model_fallback import OwnModel
from byok.calls.platform_fallback import Allowed, Fallback, No, OnPlatform, decide
from byok.config.ai_config import EffectiveConfig, ModelKind
from byok.config.embedding_choice import EmbeddingChoice
from byok.config.values import compares_with
from byok.errors import AIError
from byok.models import PLATFORM_DEFAULT, ProviderCredential
from byok.provider_names import embedding_providers
from byok.providers import REGISTRY, Provider


def chosen_model(
    config: EffectiveConfig,
    kind: ModelKind,
    operation: str,
    *,
    fallback: Fallback | None = None,
    instead: EmbeddingChoice | None = None,
) -> tuple[str, str]:
    """Provider and model, both as a configuration names them: the provider may be `platform_default`.

    `fallback`, `instead`: see `byok.resolver.get_model_for_tenant`.
    """
    match fallback:
        case None if instead is not None:
            chosen, model = _instead(config, kind, instead)
        case None:
            chosen, model = _configured(config, kind, operation)
        case OwnModel():
            chosen, model = _own_model(config, kind, operation, fallback)
        case OnPlatform():
            _require_consent(config, kind, operation, fallback)
            chosen = PLATFORM_DEFAULT
            model = settings.PLATFORM_CHAT_MODEL if kind == "chat" else settings.PLATFORM_EMBEDDING_MODEL
    if not chosen:
        label = REGISTRY[config.provider].label if config.provider in REGISTRY else "The provider"
        raise AIError("config_missing", provider=config.provider, sentence=_no_embeddings(label))
    return chosen, model


def provider_for(kind: ModelKind, chosen: str) -> Provider:
    """The provider that is called for a choice: the platform's own for `platform_default`."""
    provider = settings.PLATFORM_PROVIDER if chosen == PLATFORM_DEFAULT else chosen
    if provider not in REGISTRY:
        # A row from before the provider was taken out; no other one takes its place.
        raise AIError(
            "config_missing",
            provider=provider,
            sentence="The chosen AI provider is no longer offered. Choose another one in the AI settings to go on.",
        )
    entry = REGISTRY[provider]
    if kind == "embedding" and not entry.offers_embeddings:
        raise AIError("config_missing", provider=provider, sentence=_no_embeddings(entry.label))
    return entry


def own_key(config: EffectiveConfig, entry: Provider, *, on_platform: bool) -> ProviderCredential | None:
    """The row of the organisation's key; None where the platform's own is used."""
    if not on_platform:
        credential = config.credentials.get(entry.id)
        if credential is None:
            raise AIError("config_missing", provider=entry.id)
        return credential
    if not settings.PLATFORM_KEYS[entry.id]:
        raise AIError(
            "config_missing",
            provider=entry.id,
            sentence="The platform's own AI is not set up here. Add your own key in the AI settings to go on.",
        )
    return None


def attribution(config: EffectiveConfig, entry: Provider) -> dict[str, str]:
    """The headers by which the provider's rankings name the caller; the product's own name where none is chosen."""
    return entry.attribution_headers(
        site_url=config.openrouter_site_url or settings.PUBLIC_URL,
        site_name=config.openrouter_site_name or settings.PRODUCT_NAME,
    )


def _no_embeddings(label: str) -> str:
    return (
        f"{label} offers no embeddings, and the knowledge base needs them. "
        f"Choose {embedding_providers()} for embeddings in the AI settings and save a key for it."
    )


def _configured(config: EffectiveConfig, kind: ModelKind, operation: str) -> tuple[str, str]:
    """Provider and model as configured; an empty provider where there is none for this kind."""
    if kind == "embedding":
        return config.embedding_provider, config.embedding_model
    return config.provider, config.chat_model_for(operation)


def _instead(config: EffectiveConfig, kind: ModelKind, wanted: EmbeddingChoice) -> tuple[str, str]:
    """Provider and model of an embedding model that is not the configured one."""
    if kind != "embedding":
        raise ValueError("Only an embedding model can be used in place of the configured one.")
    if not config.embedding_provider:
        # Whoever chose a provider without embeddings pays for none, whatever was chosen before.
        return "", ""
    if wanted.provider == PLATFORM_DEFAULT and config.embedding_provider != PLATFORM_DEFAULT:
        raise AIError("config_missing", provider=config.embedding_provider)
    return wanted.provider, wanted.model


def _own_model(config: EffectiveConfig, kind: ModelKind, operation: str, wish: OwnModel) -> tuple[str, str]:
    """Provider as configured, and the wished model if the organisation has it for this operation."""
    chosen, model = _configured(config, kind, operation)
    if chosen == PLATFORM_DEFAULT:
        raise wish.error or AIError(
            "model_not_found", sentence="The platform's AI has one model. Add your own key to choose others."
        )
    if wish.error is not None and wish.model not in config.further_models_for(operation):
        # The list was changed a moment ago: what was taken out of it is not asked any more.
        raise wish.error
    if kind == "embedding" and not compares_with(model, wish.model):
        raise wish.error or AIError("bad_request", provider=chosen)
    return chosen, wish.model


def _require_consent(config: EffectiveConfig, kind: ModelKind, operation: str, fallback: OnPlatform) -> None:
    """Raise the own key's error unless the organisation lets the platform's AI do this operation in its place."""
    if (kind == "embedding") != (operation == "embedding"):
        raise ValueError("Consent is given per operation: embeddings fall back as `embedding`, chat as what it is for.")
    error = fallback.error
    decision = decide(config, operation, error, granted=fallback.granted)
    if not isinstance(decision, Allowed):
        sentence = decision.sentence if isinstance(decision, No) else error.sentence
        raise AIError(error.code, provider=error.provider, sentence=sentence, detail=error.detail)
