"""What is wrong with the key in use, for a banner on every page of its organisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.timesince import timesince

from byok.config import byok_allowed
from byok.credentials import REFUSED
from byok.models import CredentialStatus, ProviderCredential
from byok.notices import IN_USE
from byok.providers import REGISTRY
from leadagent.tenants.models import Membership, Role


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """A banner: `url` leads to where an admin mends it, and is empty for everybody else."""

    kind: str
    title: str
    text: str
    url: str


def key_trouble(request: HttpRequest) -> dict[str, Any]:
    """`key_trouble` for templates: None or a `KeyTrouble`. One query where a page asks, none for fragments."""
    membership = getattr(request, "membership", None)
    if membership is None:
        return {}
    return {"key_trouble": SimpleLazyObject(lambda: trouble_for(membership))}


def trouble_for(membership: Membership) -> KeyTrouble | None:
    """What keeps the organisation's own key from working right now, or None."""
    organization = membership.organization
    if not byok_allowed(organization):
        return None
    troubled = (*REFUSED, CredentialStatus.NO_CREDIT)
    # A provider that was taken out of the registry gets another sentence, from the resolver.
    rows = ProviderCredential.objects.filter(
        IN_USE, organization=organization, status__in=troubled, provider__in=REGISTRY
    )
    credential = rows.order_by("provider").first()
    if credential is None:
        return None
    is_admin = membership.may(Role.ADMIN)
    label = REGISTRY[credential.provider].label
    return KeyTrouble(
        kind="warn" if credential.status == CredentialStatus.NO_CREDIT else "bad",
        title=_title(credential, label),
        text=_next_step(credential, label, is_admin=is_admin),
        url=reverse("byok:settings", args=[organization.slug]) if is_admin else "",
    )


def _title(credential: ProviderCredential, label: str) -> str:
    match credential.status:
        case CredentialStatus.REJECTED:
            return f"{label} refuses your key{_for_how_long(credential)}."
        case CredentialStatus.UNREADABLE:
            return f"Your {label} key can no longer be opened{_for_how_long(credential)}."
    return f"Your account or key at {label} has nothing left to spend."


def _for_how_long(credential: ProviderCredential) -> str:
    if credential.refused_since is None:
        return ""
    # The largest unit only: a banner is no log.
    return f", for {timesince(credential.refused_since, timezone.now(), depth=1)} now"


def _next_step(credential: ProviderCredential, label: str, *, is_admin: bool) -> str:
    stopped = "AI work that needs it stops until"
    who = "you" if is_admin else "an admin"
    if credential.status == CredentialStatus.NO_CREDIT:
        return f"{stopped} {who} add{'' if is_admin else 's'} credit there or raise{'' if is_admin else 's'} its limit."
    if credential.status == CredentialStatus.UNREADABLE:
        return f"{stopped} {who} enter{'' if is_admin else 's'} it again."
    return f"{stopped} {who} save{'' if is_admin else 's'} a new one."
