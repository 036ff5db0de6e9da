"""Writing the audit log."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from leadagent.http import client_ip
from leadagent.tenants.audit_models import AuditEvent
from leadagent.tenants.audit_trail.scrub import plain, without_secrets
from leadagent.tenants.models import ApiToken, Organization, User


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
    """Write one event in the caller's transaction, so that the act and its trace stand or fall together.

    `action` is `<what>.<what happened>`; its words for people stand in `tenants.audit_trail.actions`.
    Give `before` and `after` the fields that the act is about; secrets are left out here once more.
    PostgreSQL chains the event when the transaction commits.
    """
    if actor is None and request is not None and request.user.is_authenticated:
        actor = request.user
    return AuditEvent.objects.create(
        organization=organization,
        actor=actor,
        actor_label=actor_label(actor, request),
        action=action,
        target=plain(target)[:200],
        before=without_secrets(before),
        after=without_secrets(after),
        ip_address=client_ip(request) if request is not None else None,
    )


def actor_label(actor: User | None, request: HttpRequest | None) -> str:
    """Who acts, in words that outlive the account: a person, an API token, or the system itself."""
    if actor is not None:
        return actor.email
    # Set by tenants.api_auth: a call made with an organisation's token has no person.
    api_token: ApiToken | None = getattr(request, "api_token", None)
    return plain(f"API token {api_token}") if api_token else "system"
