"""Who looks after a lead: nobody, or one person who may work on leads of its organisation.

That it stays so when a person leaves, or is made a viewer, is settled where the membership changes
(`unassign_of`): in the same transaction, whoever changed it.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.models import Lead
from leadagent.tenants import audit
from leadagent.tenants.models import Membership, Organization, Role, User

_WORKING = [role.value for role in Role if role.allows(Role.MEMBER)]


class NotAssignable(Exception):
    """This person may not work on the organisation's leads. The text is for the person who asked."""

    def __init__(self) -> None:
        super().__init__("This person cannot be given leads: choose a member or an admin of this organisation.")


def assignees_of(organization: Organization) -> QuerySet[User]:
    """The people who can be given the organisation's leads, by name."""
    return User.objects.filter(
        is_active=True, memberships__organization=organization, memberships__role__in=_WORKING
    ).order_by("first_name", "last_name", "email")


def assign_lead(lead: Lead, to: User | None, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Give the lead to a person, or to nobody; False where that is so already. Raises `NotAssignable`."""
    with transaction.atomic():
        if to is not None:
            _hold_membership(lead.organization, to)
        locked = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
        before = locked.assigned_to
        if before == to:
            return False
        locked.assigned_to = lead.assigned_to = to
        locked.last_activity_at = timezone.now()
        locked.save(update_fields=["assigned_to", "last_activity_at"])
        audit.record(
            "lead.assigned",
            organization=lead.organization,
            actor=by,
            target=f"lead {lead.pk}",
            before={"assigned_to": before.email if before else None},
            after={"assigned_to": to.email if to else None},
            request=request,
        )
    return True


def unassign_of(membership: Membership) -> None:
    """Take the organisation's leads from a person who may no longer work on them."""
    held = Lead.objects.filter(organization_id=membership.organization_id, assigned_to_id=membership.user_id)
    held.update(assigned_to=None)


def on_membership_deleted(sender: type[Membership], instance: Membership, **_: Any) -> None:
    unassign_of(instance)


def on_membership_saved(sender: type[Membership], instance: Membership, created: bool, **_: Any) -> None:
    if not created and not instance.may(Role.MEMBER):
        unassign_of(instance)


def _hold_membership(organization: Organization, user: User) -> None:
    """Keep the person from leaving until this transaction has ended: who leaves locks the membership too."""
    held = Membership.objects.select_for_update(no_key=True, of=("self",)).filter(
        organization=organization, user=user, user__is_active=True, role__in=_WORKING
    )
    if not held.exists():
        raise NotAssignable
