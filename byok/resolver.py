"""From "this organisation wants to call a chat model" to a client that is metered and holds no key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from byok.calls.metering import CallContext
from byok.calls.model_fallback import OwnModel
from byok.calls.platform_fallback import Allowed, Fallback, No, OnPlatform, bare_model_name, decide
from byok.config.ai_config import EffectiveConfig, ModelKind, in_force
from byok.config.known_configs import known_config
from byok.config.values import compares_with
from byok.embedding_providers import embedding_providers
from byok.errors import AIError
from byok.keys.credentials import KnownCredential
from byok.keys.sources import KeySource, StoredKey, platform_key
from byok.models import PLATFORM_DEFAULT
from byok.pricing import FixedPrice, known_pricing
from byok.providers import REGISTRY, Provider
from leadagent.tenants.models import Organization
from usage.models import KeyOwner

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from byok.providers.base import AsyncClient, SyncClient


@dataclass(frozen=True, slots=True)
class TenantModel:
    """A model as one organisation may call it, for one operation.

    Whatever client is taken from it, each HTTP exchange leaves one usage row. The key
    is opened on the wire only; no object here holds it.
    """

    provider: str
    # As the provider knows it: pass this as `model=` to the SDK.
    model_id: str
    kind: ModelKind
    operation: str
    is_customer_key: bool
    context: CallContext = field(repr=False)
    _key: KeySource = field(repr=False)
    _headers: tuple[tuple[str, str], ...] = field(repr=False)

    def client(self) -> SyncClient:
        """The provider's official SDK client (openai or anthropic), sync."""
        from byok.wire import sync_http_client

        return self._entry.sync_client(sync_http_client(self.context, self._key), dict(self._headers))

    def async_client(self) -> AsyncClient:
        """The provider's official SDK client, async. Use it on one event loop."""
        from byok.wire import async_http_client

        return self._entry.async_client(async_http_client(self.context, self._key), dict(self._headers))

    def model(self) -> Model:
        """The same as a pydantic-ai model, for agents and typed output. Chat only."""
        if self.kind != "chat":
            raise ValueError("Only a chat model can be an agent's model.")
        return self._entry.agent_model(self.model_id, self.async_client())

    @property
    def _entry(self) -> Provider:
        return REGISTRY[self.provider]


@dataclass(frozen=True, slots=True)
class EmbeddingChoice:
    """An embedding model, named as a configuration names it: stored vectors compare with those of their own model only.

    `provider` may be `platform_default`.
    """

    provider: str
    model: str

    @property
    def name(self) -> str:
        """The name by which its vectors compare, whoever served them."""
        return bare_model_name(self.model)


def embedding_in_force(organization: Organization) -> EmbeddingChoice | None:
    """The embedding model that the organisation has chosen; None where its provider offers none. Opens no key."""
    known = known_config(organization.pk)
    config = in_force(organization, known.config, known.credentials)
    if not config.embedding_provider:
        return None
    return EmbeddingChoice(config.embedding_provider, config.embedding_model)


def get_model_for_tenant(
    organization: Organization,
    kind: ModelKind,
    *,
    operation: str,
    lead: UUID | None = None,
    run: UUID | None = None,
    fallback: Fallback | None = None,
    instead: EmbeddingChoice | None = None,
) -> TenantModel:
    """The model that `organization` uses for `operation`; raises `AIError` where it may not call any.

    `operation` is what the usage is booked on: qualification, email_generation, research
    or embedding. `lead` and `run` are stored with each usage row.
    `fallback`: what is wanted in place of the configured model. The platform's AI, because the own
    key failed: resolved only if the organisation's consent for `operation` covers it, otherwise
    the own key's error is raised. Or another model on the own key: one that the organisation
    has listed for `operation`, or that a person chose for this run.
    `instead`: an embedding model in place of the configured one, while stored vectors are still another model's.
    The platform's AI is no such choice for an organisation that has chosen its own.
    """
    known = known_config(organization.pk)
    config = in_force(organization, known.config, known.credentials)
    match fallback:
        case None if instead is not None:
            chosen, model = _instead(config, kind, instead)
        case None:
            chosen, model = _chosen(config, kind, operation)
        case OwnModel():
            chosen, model = _own_model(config, kind, operation, fallback)
        case OnPlatform():
            _require_consent(config, kind, operation, fallback)
            chosen = PLATFORM_DEFAULT
            model = settings.PLATFORM_CHAT_MODEL if kind == "chat" else settings.PLATFORM_EMBEDDING_MODEL
    if not chosen:
        label = REGISTRY[config.provider].label if config.provider in REGISTRY else "The provider"
        raise AIError(
            "config_missing",
            provider=config.provider,
            sentence=_no_embeddings(label),
        )
    on_platform = chosen == PLATFORM_DEFAULT
    provider = settings.PLATFORM_PROVIDER if on_platform else chosen
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
    credential = None if on_platform else config.credentials.get(provider)
    if on_platform and not settings.PLATFORM_KEYS[provider]:
        raise AIError(
            "config_missing",
            provider=provider,
            sentence="The platform's own AI is not set up here. Add your own key in the AI settings to go on.",
        )
    if not on_platform and credential is None:
        raise AIError("config_missing", provider=provider)
    model_id = entry.model_id(model) if kind == "chat" else entry.embedding_model_id(model)
    # The platform pays for calls on its own key: what an organisation negotiated is no price of those.
    price = known_pricing(provider, model_id, organization_id=None if on_platform else organization.pk)
    context = CallContext(
        organization_id=organization.pk,
        operation=operation,
        provider=provider,
        model=model_id,
        key_owner=KeyOwner.PLATFORM if on_platform else KeyOwner.CUSTOMER,
        credential=KnownCredential.of(credential, read_at=known.read_at) if credential else None,
        lead_id=lead,
        run_id=run,
        keep_detail=config.usage_tracking,
        price=FixedPrice(model_id, price) if price else None,
    )
    headers = entry.attribution_headers(
        site_url=config.openrouter_site_url or settings.PUBLIC_URL,
        site_name=config.openrouter_site_name or settings.PRODUCT_NAME,
    )
    return TenantModel(
        provider=provider,
        model_id=model_id,
        kind=kind,
        operation=operation,
        is_customer_key=not on_platform,
        context=context,
        _key=StoredKey(credential) if credential else platform_key(provider),
        _headers=tuple(headers.items()),
    )


def get_embedding_config(organization: Organization) -> TenantModel:
    """The organisation's embedding model, booked on the operation `embedding`."""
    return get_model_for_tenant(organization, "embedding", operation="embedding")


def _no_embeddings(label: str) -> str:
    return (
        f"{label} offers no embeddings, and the knowledge base needs them. "
        f"Choose {embedding_providers()} for embeddings in the AI settings and save a key for it."
    )


def _chosen(config: EffectiveConfig, kind: ModelKind, operation: str) -> tuple[str, str]:
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
    chosen, model = _chosen(config, kind, operation)
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
