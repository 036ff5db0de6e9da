"""What is wrong with the key in use, for a banner on every page of its organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.timesince import timesince

from byok.calls.platform_fallback import Allowed, Ask, decide, own_provider
from byok.catalog.recommendations import OPERATION_LABELS
from byok.config.ai_config import byok_allowed, get_ai_config
from byok.config.values import OPERATIONS
from byok.errors import AIError
from byok.keys.credentials import FAILING
from byok.keys.notices import IN_USE
from byok.models import CredentialStatus, ProviderCredential
from byok.providers import REGISTRY
from leadagent.tenants.models import Membership, Organization, Role
from usage.spending.quota import free_tier_of

# What a call ends with while its key is in this state.
_ERRORS = {
    CredentialStatus.REJECTED: "invalid_key",
    CredentialStatus.UNREADABLE: "key_unreadable",
    CredentialStatus.NO_CREDIT: "no_credit",
}


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """A banner: `url` leads to where an admin mends it, and is empty for everybody else."""

    kind: str
    title: str
    text: str
    url: str


def key_trouble(request: HttpRequest) -> dict[str, Any]:
    """`key_trouble` for templates: None or a `KeyTrouble`.

    One query where a page asks and two more where there is trouble, none for fragments.
    """
    membership = getattr(request, "membership", None)
    if membership is None:
        return {}
    return {"key_trouble": SimpleLazyObject(lambda: trouble_for(membership))}


def trouble_for(membership: Membership) -> KeyTrouble | None:
    """What keeps the organisation's own key from working right now, or None."""
    organization = membership.organization
    if not byok_allowed(organization):
        return None
    # A provider that was taken out of the registry gets another sentence, from the resolver.
    rows = ProviderCredential.objects.filter(
        IN_USE, organization=organization, status__in=FAILING, provider__in=REGISTRY
    )
    credential = rows.order_by("provider").first()
    if credential is None:
        return None
    is_admin = membership.may(Role.ADMIN)
    settings_url = reverse("byok:settings", args=[organization.slug])
    remedy = _remedy(credential, is_admin=is_admin)
    return KeyTrouble(
        kind="warn" if credential.status == CredentialStatus.NO_CREDIT else "bad",
        title=_title(credential, REGISTRY[credential.provider].label),
        text=_consequences(organization, credential, remedy),
        url=f"{settings_url}#update" if is_admin else "",
    )


def _title(credential: ProviderCredential, label: str) -> str:
    since = _for_how_long(credential)
    match credential.status:
        case CredentialStatus.REJECTED:
            return f"{label} has refused your key for {since}." if since else f"{label} refused your key just now."
        case CredentialStatus.UNREADABLE:
            opened = f"Your {label} key can no longer be opened"
            return f"{opened}: it failed {since} ago." if since else f"{opened}."
    return f"Your account or key at {label} has nothing left to spend."


def _for_how_long(credential: ProviderCredential) -> str:
    """`3 hours`; empty within the first minute and where nobody knows."""
    since, now = credential.refused_since, timezone.now()
    if since is None or now - since < timedelta(minutes=1):
        return ""
    # The largest unit only: a banner is no log.
    return timesince(since, now, depth=1)


def _consequences(organization: Organization, credential: ProviderCredential, remedy: str) -> str:
    """Which work goes on on the platform's AI meanwhile, for which a person has to agree, and which stops."""
    config = get_ai_config(organization)
    error = AIError(_ERRORS[CredentialStatus(credential.status)], provider=credential.provider)
    affected = [operation for operation in OPERATIONS if own_provider(config, operation) == credential.provider]
    decisions = {operation: decide(config, operation, error) for operation in affected}
    going_on = [operation for operation in affected if isinstance(decisions[operation], Allowed)]
    asking = [operation for operation in affected if isinstance(decisions[operation], Ask)]
    stopped = [operation for operation in affected if operation not in (*going_on, *asking)]
    everything_stops = f"AI work that needs it stops until {remedy}."
    if not going_on and not asking:
        return everything_stops
    if free_tier_of(organization.pk).left == 0:
        return f"{everything_stops} The platform's free requests of this month are used up as well."
    if going_on:
        sentences = [f"Until {remedy}, the platform's AI does {_named(going_on)}, within the free requests."]
        if asking:
            sentences.append(f"A person has to agree first to {_named(asking)}.")
    else:
        sentences = [f"Until {remedy}, the platform's AI does {_named(asking)} only once a person agrees."]
    if stopped:
        sentences.append(f"Stopped: {_named(stopped)}.")
    return " ".join(sentences)


def _named(operations: list[str]) -> str:
    """`research, qualification and email drafts`."""
    names = [OPERATION_LABELS[operation].lower() for operation in operations]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _remedy(credential: ProviderCredential, *, is_admin: bool) -> str:
    who, s = ("you", "") if is_admin else ("an admin", "s")
    match credential.status:
        case CredentialStatus.NO_CREDIT:
            return f"{who} add{s} credit there or raise{s} its limit"
        case CredentialStatus.UNREADABLE:
            return f"{who} enter{s} it again"
    return f"{who} save{s} a new one"
