"""The words that stored rows use."""

from __future__ import annotations

import uuid

import uuid6
from django.db import models


def new_id() -> uuid.UUID:
    """A time-ordered id (UUIDv7), known before the row is written: sealing binds to it."""
    return uuid.UUID(int=uuid6.uuid7().int)


class ProviderName(models.TextChoices):
    OPENROUTER = "openrouter", "OpenRouter"
    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"


PLATFORM_DEFAULT = "platform_default"


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
