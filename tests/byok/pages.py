"""Somebody before the AI settings page, and what they send."""

from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from leadagent.tenants.models import Organization
from tests.byok.keys import KEYS

HTMX = {"HX-Request": "true"}
MODELS = {"openai": "gpt-4o", "openrouter": "openai/gpt-4o", "anthropic": "claude-haiku-4-5"}


def text(response: Any) -> str:
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def url(name: str, organization: Organization, *more: str) -> str:
    return reverse(f"byok:{name}", args=[organization.slug, *more])


def fields(provider: str = "openai", **changed: Any) -> dict[str, Any]:
    """The form as a browser sends it, with a new key."""
    return {
        "provider": provider,
        "api_key": KEYS.get(provider, ""),
        "chat_model": MODELS.get(provider, ""),
        "embedding_provider": "" if provider in {"anthropic", "platform_default"} else provider,
        "embedding_model": "",
        "usage_tracking": "on",
        "version": 0,
    } | changed


def sign_in_grows_old(client: Client) -> None:
    session = client.session
    session["signed_in_at"] = 0
    session.save()
