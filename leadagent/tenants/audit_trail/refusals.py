"""Attempts that a role or a scope does not reach leave one event per person, address and hour.

More would let anyone with a session fill the log.
"""

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from leadagent.tenants import audit
from leadagent.tenants.models import AuditEvent, Organization, User


def note_refusal(request: HttpRequest, organization: Organization, *, has: str, needed: str) -> None:
    """Record that whoever calls was refused: what they have (role or scopes) and what was needed."""
    match = request.resolver_match
    route = (match.view_name if match else "") or request.path
    actor = request.user if isinstance(request.user, User) else None
    label = audit.actor_label(actor, request)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        if not _is_only_one(f"refused {organization.pk} {label} {route}"):
            return
        events = AuditEvent.objects.filter(organization=organization, created_at__gte=hour, action="access.refused")
        if events.filter(actor_label=label, target=route).exists():
            return
        audit.record(
            "access.refused",
            organization=organization,
            actor=actor,
            target=route,
            after={"has": has, "needed": needed, "method": request.method},
            request=request,
        )


def _is_only_one(about: str) -> bool:
    """False where another transaction is writing the same just now; its event counts for both."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [about])
        return bool(cursor.fetchone()[0])
