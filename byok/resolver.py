"""From "this organisation wants to call a chat model" to a client that is metered and holds no key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from byok.calls.destination import attribution, chosen_model, own_key, provider_for
from byok.calls.metering import CallContext
from byok.calls.platform_fallback import Fallback
from byok.config.ai_config import ModelKind, in_force
from byok.config.embedding_choice import EmbeddingChoice
from byok.config.known_configs import known_config
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
    chosen, model = chosen_model(config, kind, operation, fallback=fallback, instead=instead)
    on_platform = chosen == PLATFORM_DEFAULT
    entry = provider_for(kind, chosen)
    credential = own_key(config, entry, on_platform=on_platform)
    model_id = entry.model_id(model) if kind == "chat" else entry.embedding_model_id(model)
    # The platform pays for calls on its own key: what an organisation negotiated is no price of those.
    price = known_pricing(entry.id, model_id, organization_id=None if on_platform else organization.pk)
    context = CallContext(
        organization_id=organization.pk,
        operation=operation,
        provider=entry.id,
        model=model_id,
        key_owner=KeyOwner.PLATFORM if on_platform else KeyOwner.CUSTOMER,
        credential=KnownCredential.of(credential, read_at=known.read_at) if credential else None,
        lead_id=lead,
        run_id=run,
        keep_detail=config.usage_tracking,
        price=FixedPrice(model_id, price) if price else None,
    )
    return TenantModel(
        provider=entry.id,
        model_id=model_id,
        kind=kind,
        operation=operation,
        is_customer_key=not on_platform,
        context=context,
        _key=StoredKey(credential) if credential else platform_key(entry.id),
        _headers=tuple(attribution(config, entry).items()),
    )


def get_embedding_config(organization: Organization) -> TenantModel:
    """The organisation's embedding model, booked on the operation `embedding`."""
    return get_model_for_tenant(organization, "embedding", operation="embedding")
