"""Whose key a text looks like, for the offer to change the provider."""

from __future__ import annotations

from byok.providers import REGISTRY


def provider_of_key(api_key: str) -> str:
    """The provider whose keys begin as this one does, by the longest known prefix; empty for none."""
    pairs = [(prefix, entry.id) for entry in REGISTRY.values() for prefix in entry.key_prefixes if prefix]
    return max(((prefix, name) for prefix, name in pairs if api_key.startswith(prefix)), default=("", ""))[1]


def key_prefixes() -> list[tuple[str, str]]:
    """Prefix and provider's name, longest first, for the guess while typing."""
    pairs = [(prefix, entry.label) for entry in REGISTRY.values() for prefix in entry.key_prefixes if prefix]
    return sorted(pairs, key=lambda pair: -len(pair[0]))
