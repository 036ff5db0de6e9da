"""Which providers offer embeddings, for sentences that tell what to choose."""

from __future__ import annotations

from byok.providers import REGISTRY


def embedding_providers() -> str:
    """Their names as a part of a sentence: `OpenRouter or OpenAI`."""
    *names, last = [entry.label for entry in REGISTRY.values() if entry.offers_embeddings]
    return f"{', '.join(names)} or {last}" if names else last
