"""Writing the audit log."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from leadagent.http import client_ip
from leadagent.logs import scrub
from leadagent.tenants.models import ApiToken, AuditEvent, Organization, User

# A value under such a name is never written, whatever it holds.
_SECRET_NAMES = ("api_key", "key", "secret", "token", "password", "sealed")


def record(
    action: str,
    *,
    organization: Organization | None,
    actor: User | None = None,
    target: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> AuditEvent:
    """Write one event in the caller's transaction, so that the act and its trace stand or fall together."""
    if actor is None and request is not None and request.user.is_authenticated:
        actor = request.user
    # Set by tenants.api_auth: a call made with an organisation's token has no person.
    api_token: ApiToken | None = getattr(request, "api_token", None)
    return AuditEvent.objects.create(
        organization=organization,
        actor=actor,
        actor_label=actor.email if actor else f"API token {api_token}" if api_token else "system",
        action=action,
        target=scrub(target)[:200],
        before=_without_secrets(before),
        after=_without_secrets(after),
        ip_address=client_ip(request) if request is not None else None,
    )


def _without_secrets(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: _scrubbed(value) for name, value in values.items() if name.lower() not in _SECRET_NAMES}


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return _without_secrets(value)
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value
