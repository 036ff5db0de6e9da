"""Who is told what an organisation has to know."""

from __future__ import annotations

from django.db.models import QuerySet

from leadagent.tenants.models import Organization, Role, User


def active_admins(organization: Organization) -> QuerySet[User]:
    """The admins who can sign in, always in the same order."""
    admins = User.objects.filter(is_active=True, memberships__organization=organization, memberships__role=Role.ADMIN)
    return admins.order_by("pk")
