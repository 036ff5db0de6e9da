"""The words that stored rows use."""

from __future__ import annotations

import uuid

import uuid6
from django.db import models

from byok.providers import REGISTRY


def new_id() -> uuid.UUID:
    """A time-ordered id (UUIDv7), known before the row is written: sealing binds to it."""
    return uuid.UUID(int=uuid6.uuid7().int)


PLATFORM_DEFAULT = "platform_default"


def provider_choices() -> list[tuple[str, str]]:
    """The providers that are offered, as choices. A function, so that another provider is no migration."""
    return [(entry.id, entry.label) for entry in REGISTRY.values()]


def payer_choices() -> list[tuple[str, str]]:
    """The same with the platform's own AI."""
    return [(PLATFORM_DEFAULT, "Platform default"), *provider_choices()]


class CredentialStatus(models.TextChoices):
    UNTESTED = "untested", "Not tested yet"
    OK = "ok", "Connected"
    REJECTED = "rejected", "Key refused"
    NO_CREDIT = "no_credit", "No credit"
    UNREACHABLE = "unreachable", "Could not be reached"
    UNREADABLE = "unreadable", "Enter the key again"


class FallbackConsent(models.TextChoices):
    """Whether an operation whose own key fails may go on with the platform's AI, in the free tier."""

    NEVER = "never", "Never: stop and say so"
    ASK = "ask", "Ask: stop, and let a person decide for that run"
    ALLOW = "allow", "Allow: go on with the platform's AI and say so"
