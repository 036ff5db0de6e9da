"""What pages call a provider."""

from __future__ import annotations

from byok.models import PLATFORM_DEFAULT
from byok.providers import REGISTRY


def provider_label(provider: str) -> str:
    """The name that people know a provider by; the platform's own AI included."""
    if provider in REGISTRY:
        return REGISTRY[provider].label
    # Nothing falls back to the platform because a provider was taken out of the registry.
    return "Platform AI" if provider in {"", PLATFORM_DEFAULT} else f"{provider} (no longer offered)"
