"""Which embedding model an organisation has chosen, or had."""

from __future__ import annotations

from dataclasses import dataclass

from byok.config.ai_config import in_force
from byok.config.known_configs import known_config
from byok.config.values import bare_model_name
from leadagent.tenants.models import Organization


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
