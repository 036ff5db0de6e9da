"""Providers as support staff knows them."""

from __future__ import annotations

from byok.models import PLATFORM_DEFAULT, provider_choices


def provider_name(provider: str) -> str:
    """A provider's name; its id where it was taken out since."""
    labels = {PLATFORM_DEFAULT: "Platform default", "": "none", **dict(provider_choices())}
    return labels.get(provider, provider)
