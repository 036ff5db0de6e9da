"""Members of an organisation: another role, removal, leaving, and the last-admin rule.

Every act and its audit event share one transaction. Errors are `MembershipError`s
whose text is a sentence for the person who tried. How people come in is in `invitations`.
"""

from django.db import transaction
from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.models import Membership, Organization, Role, User


class MembershipError(Exception):
    """What cannot be done, in a sentence that says so and what to do instead."""


class LastAdmin(MembershipError):
    def __init__(self, organization: Organization) -> None:
        super().__init__(f"{organization.name} needs at least one admin. Make someone else an admin first.")


@transaction.atomic
def change_role(membership: Membership, *, role: Role, actor: User, request: HttpRequest | None = None) -> Membership:
    """Give a member another role. Raises LastAdmin, and Membership.DoesNotExist when they left meanwhile."""
    locked = _lock_member(membership, keeps_admin=role is Role.ADMIN)
    if locked.role == role:
        return locked
    before, locked.role = locked.role, role
    locked.save(update_fields=["role"])
    audit.record(
        "member.role_changed",
        organization=locked.organization,
        actor=actor,
        target=locked.user.email,
        before={"role": before},
        after={"role": role.value},
        request=request,
    )
    return locked


@transaction.atomic
def remove_member(membership: Membership, *, actor: User, request: HttpRequest | None = None) -> None:
    """Take a member out; their next request finds them outside. Raises as `change_role` does."""
    _end(_lock_member(membership, keeps_admin=False), action="member.removed", actor=actor, request=request)


@transaction.atomic
def leave(membership: Membership, *, request: HttpRequest | None = None) -> None:
    """Leave by one's own will. Raises as `change_role` does."""
    _end(_lock_member(membership, keeps_admin=False), action="member.left", actor=membership.user, request=request)


def _end(locked: Membership, *, action: str, actor: User, request: HttpRequest | None) -> None:
    audit.record(
        action,
        organization=locked.organization,
        actor=actor,
        target=locked.user.email,
        before={"role": locked.role},
        request=request,
    )
    locked.delete()


def _lock_member(membership: Membership, *, keeps_admin: bool) -> Membership:
    """Lock all of the organisation's memberships and return this one as it is now.

    With every row locked, of two admins who demote each other at once the second sees
    what the first did. People whose account is switched off do not count as admins.
    """
    everyone = list(
        Membership.objects.select_for_update(of=("self",))
        .select_related("user", "organization")
        .filter(organization_id=membership.organization_id)
        .order_by("pk")
    )
    locked = next((row for row in everyone if row.pk == membership.pk), None)
    if locked is None:
        raise Membership.DoesNotExist
    others = [row for row in everyone if row.role == Role.ADMIN and row.user.is_active and row.pk != locked.pk]
    if locked.role == Role.ADMIN and not keeps_admin and not others:
        raise LastAdmin(locked.organization)
    return locked
