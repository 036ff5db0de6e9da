"""By which embedding model an organisation is searched, and how that model is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byok import resolver
from byok.config.embedding_choice import EmbeddingChoice, embedding_in_force
from byok.config.known_configs import known_config
from byok.errors import AIError
from byok.models import PLATFORM_DEFAULT
from leadagent.leads.models import KnowledgeIndex

if TYPE_CHECKING:
    from leadagent.tenants.models import Organization


def index_of(organization: Organization) -> KnowledgeIndex:
    """The organisation's row; made with the chosen embedding model where there is none yet.

    Raises `AIError` where no model can be chosen.
    """
    index = KnowledgeIndex.objects.filter(organization=organization).first()
    if index is not None:
        return index
    choice = _required(organization)
    made, _ = KnowledgeIndex.objects.get_or_create(
        organization=organization, defaults={"provider": choice.provider, "model": choice.model}
    )
    return made


def how_to_reach(organization: Organization, provider: str, model: str) -> EmbeddingChoice:
    """The same model as it can be called now, wherever it was called before. Raises `AIError` where nowhere.

    The chosen model under any name is itself. A former one is asked of its own provider while
    the key for that is stored, else of the provider that is chosen now.
    """
    chosen = _required(organization)
    former = EmbeddingChoice(provider, model)
    if former.name == chosen.name:
        return chosen
    stored = known_config(organization.pk).credentials
    if provider == chosen.provider or (provider != PLATFORM_DEFAULT and provider in stored):
        return former
    return EmbeddingChoice(chosen.provider, model)


def _required(organization: Organization) -> EmbeddingChoice:
    choice = embedding_in_force(organization)
    if choice is not None:
        return choice
    # It says what embeddings need.
    resolver.get_model_for_tenant(organization, "embedding", operation="embedding")
    raise AIError("config_missing")
