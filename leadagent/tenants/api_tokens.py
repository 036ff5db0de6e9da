"""Issuing and revoking API tokens, with their audit events."""

from collections.abc import Sequence

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.models import ApiToken, Organization, User


@transaction.atomic
def issue_token(
    organization: Organization,
    *,
    name: str,
    scopes: Sequence[str],
    created_by: User,
    request: HttpRequest | None = None,
) -> tuple[ApiToken, str]:
    """Create a token; return it and its text, which the caller shows once and keeps nowhere."""
    token, text = ApiToken.issue(organization, name=name, scopes=list(scopes), created_by=created_by)
    audit.record(
        "api_token.created",
        organization=organization,
        actor=created_by,
        target=f"{token.name} (…{token.last4})",
        after={"scopes": list(scopes)},
        request=request,
    )
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: User, request: HttpRequest | None = None) -> None:
    """Refuse the token from now on. Revoking twice is the same as once."""
    locked = ApiToken.objects.select_for_update(of=("self",)).select_related("organization").get(pk=token.pk)
    if locked.revoked_at is not None:
        return
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    audit.record(
        "api_token.revoked",
        organization=locked.organization,
        actor=actor,
        target=f"{locked.name} (…{locked.last4})",
        before={"scopes": locked.scopes},
        request=request,
    )
