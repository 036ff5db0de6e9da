"""What an organisation on the platform's AI is told when its free requests run out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from byok.config.ai_status import AIStatus, ai_status_of
from leadagent.tenants.models import Membership, Role

# The wizard and the way to OpenRouter and back are about nothing else.
_WITHOUT_NOTICE = ("onboarding_", "connect_")


def ai_status(request: HttpRequest) -> dict[str, Any]:
    """`ai_status` and `free_tier_notice` for templates. One query where a page asks, none for fragments."""
    membership = getattr(request, "membership", None)
    if membership is None:
        return {}
    status = SimpleLazyObject(lambda: ai_status_of(membership.organization))
    context: dict[str, Any] = {"ai_status": status}
    here = request.resolver_match.url_name if request.resolver_match else None
    if not (here or "").startswith(_WITHOUT_NOTICE):
        context["free_tier_notice"] = SimpleLazyObject(lambda: notice_for(membership, status))  # type: ignore[arg-type]
    return context


@dataclass(frozen=True, slots=True)
class Notice:
    """A banner: `action` and its address are empty for whoever may not act."""

    kind: str
    text: str
    action: str = ""
    action_url: str = ""


def notice_for(membership: Membership, status: AIStatus) -> Notice | None:
    """The notice for this person, or None as long as enough is left."""
    if not status.is_short:
        return None
    limit = status.free_tier.limit
    if status.is_used_up:
        kind = "bad"
        text = (
            f"All {limit} free AI requests of this month are used up. "
            f"They start again on {status.resets_on:%-d %B} (UTC)."
        )
    else:
        kind = "warn"
        text = f"You've used {status.free_tier.in_words} free AI requests this month."
    if not status.allowed:
        return Notice(kind, text)
    if not membership.may(Role.ADMIN):
        return Notice(kind, f"{text} Ask an admin to add your organisation's own key for unlimited requests.")
    settings_url = reverse("byok:settings", args=[membership.organization.slug])
    return Notice(kind, text, "Add your own key for unlimited requests", f"{settings_url}?provider=openrouter#update")
