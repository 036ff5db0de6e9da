"""Issuing, using and revoking API tokens, with their audit events."""

from collections.abc import Sequence
from datetime import UTC, timedelta

from django.db import transaction
from django.db.models import Q
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


def note_use(token: ApiToken, *, request: HttpRequest) -> None:
    """Keep the time of the last use, to the minute, and write one audit event per UTC day.

    Of calls that come at once the database lets one change the row, so one writes the event.
    """
    now = timezone.now()
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if token.last_used_at is not None and token.last_used_at >= max(today, now - timedelta(minutes=1)):
        return
    # Conditions on what the row holds now: the time never goes back, whichever call was slower.
    row = ApiToken.objects.filter(pk=token.pk)
    with transaction.atomic():
        is_first_today = row.filter(Q(last_used_at=None) | Q(last_used_at__lt=today)).update(last_used_at=now)
        if is_first_today:
            audit.record(
                "api_token.used",
                organization=token.organization,
                target=f"{token.name} (…{token.last4})",
                after={"scopes": token.scopes, "created_at": token.created_at},
                request=request,
            )
        else:
            row.filter(last_used_at__lt=now).update(last_used_at=now)
