"""What a provider is set up with before anybody has picked models: what is stored, else what is recommended."""

from __future__ import annotations

from typing import Any

from byok.catalog.recommendations import recommended_chat_model, recommended_embedding_model
from byok.config.ai_config import EffectiveConfig
from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY


def setup_for(config: EffectiveConfig, provider: str) -> dict[str, Any]:
    """The arguments of `save_ai_config` that make `provider` the one in use, the key left out.

    Models that are stored for this provider stay. Another provider starts with its first recommended
    models; embeddings that are paid with the key of a third provider stay where they are.
    """
    entry = REGISTRY[provider]
    same = config.provider == provider
    chat_model = config.chat_model if same else recommended_chat_model(provider)
    stays = same or (not entry.offers_embeddings and config.embedding_provider in config.credentials)
    if stays:
        embedding_provider, embedding_model = config.embedding_provider, config.embedding_model
    else:
        embedding_provider = provider if entry.offers_embeddings else ""
        embedding_model = recommended_embedding_model(provider)
    return {
        "provider": provider,
        "chat_model": chat_model,
        "embedding_provider": embedding_provider,
        # The platform's own model is not the organisation's to store.
        "embedding_model": "" if embedding_provider == PLATFORM_DEFAULT else embedding_model,
        "openrouter_site_url": config.openrouter_site_url,
        "openrouter_site_name": config.openrouter_site_name,
        "usage_tracking": config.usage_tracking,
        "version": config.version,
    }
