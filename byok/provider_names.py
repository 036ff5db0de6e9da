"""What providers are called on pages and in sentences."""

from __future__ import annotations

from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY


def provider_label(provider: str) -> str:
    """The name that people know a provider by; the platform's own AI included."""
    if provider in REGISTRY:
        return REGISTRY[provider].label
    # Nothing falls back to the platform because a provider was taken out of the registry.
    return "Platform AI" if provider in {"", PLATFORM_DEFAULT} else f"{provider} (no longer offered)"


def embedding_providers() -> str:
    """Those that offer embeddings, as a part of a sentence: `OpenRouter or OpenAI`."""
    *names, last = [entry.label for entry in REGISTRY.values() if entry.offers_embeddings]
    return f"{', '.join(names)} or {last}" if names else last
