"""Roles and the last-admin rule, at the level of the domain functions."""

import pytest

from leadagent.tenants.membership import LastAdmin, change_role, leave, remove_member
from leadagent.tenants.models import AuditEvent, Membership, Organization, Role
from tests.factories import MembershipFactory


def test_a_role_changes_and_leaves_a_trace(admin: Membership, member: Membership) -> None:
    changed = change_role(member, role=Role.VIEWER, actor=admin.user)

    assert changed.role == Role.VIEWER
    member.refresh_from_db()
    assert member.role == Role.VIEWER
    event = AuditEvent.objects.get(action="member.role_changed")
    assert (event.organization, event.actor, event.target) == (admin.organization, admin.user, "member@acme.test")
    assert (event.before, event.after) == ({"role": "member"}, {"role": "viewer"})


def test_the_same_role_again_is_no_event(admin: Membership, member: Membership) -> None:
    change_role(member, role=Role.MEMBER, actor=admin.user)
    assert not AuditEvent.objects.exists()


@pytest.mark.usefixtures("member")
def test_the_last_admin_stays_admin(admin: Membership) -> None:
    with pytest.raises(LastAdmin, match="Acme needs at least one admin"):
        change_role(admin, role=Role.MEMBER, actor=admin.user)
    with pytest.raises(LastAdmin):
        remove_member(admin, actor=admin.user)
    with pytest.raises(LastAdmin):
        leave(admin)
    admin.refresh_from_db()
    assert admin.role == Role.ADMIN
    assert not AuditEvent.objects.exists()


def test_one_of_two_admins_may_go(admin: Membership, organization: Organization) -> None:
    MembershipFactory(organization=organization, role=Role.ADMIN)
    leave(admin)
    assert not Membership.objects.filter(pk=admin.pk).exists()
    assert AuditEvent.objects.get().action == "member.left"


def test_an_admin_of_another_organisation_does_not_count(admin: Membership) -> None:
    MembershipFactory(role=Role.ADMIN)
    with pytest.raises(LastAdmin):
        leave(admin)


def test_an_admin_who_is_switched_off_does_not_count(admin: Membership, organization: Organization) -> None:
    MembershipFactory(organization=organization, role=Role.ADMIN, user__is_active=False)
    with pytest.raises(LastAdmin):
        leave(admin)


def test_removal_leaves_a_trace(admin: Membership, member: Membership) -> None:
    remove_member(member, actor=admin.user)
    assert not Membership.objects.filter(pk=member.pk).exists()
    event = AuditEvent.objects.get(action="member.removed")
    assert (event.actor, event.target, event.before) == (admin.user, "member@acme.test", {"role": "member"})


def test_a_stale_row_decides_nothing(admin: Membership, member: Membership) -> None:
    """The object was loaded before someone else changed the row."""
    stale = Membership.objects.get(pk=member.pk)
    change_role(member, role=Role.ADMIN, actor=admin.user)
    change_role(admin, role=Role.VIEWER, actor=admin.user)
    with pytest.raises(LastAdmin):
        remove_member(stale, actor=admin.user)


def test_who_has_left_cannot_be_changed(admin: Membership, member: Membership) -> None:
    stale = Membership.objects.get(pk=member.pk)
    leave(member)
    with pytest.raises(Membership.DoesNotExist):
        change_role(stale, role=Role.VIEWER, actor=admin.user)
