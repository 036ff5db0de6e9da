"""Two people at once, on two real connections."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, connections, transaction

from leadagent.tenants.invitations import (
    AlreadyInvited,
    AlreadyMember,
    InvitationClosed,
    accept_invitation,
    invite,
    withdraw_invitation,
)
from leadagent.tenants.membership import LastAdmin, change_role, leave
from leadagent.tenants.models import AuditEvent, Invitation, Membership, Organization, Role
from leadagent.tenants.onboarding import SlugTaken, create_organization
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[BaseException | None]:
    """Run the acts in threads that start together, each on its own connection; what each of them raised."""
    start = threading.Barrier(len(acts))
    raised: list[BaseException | None] = [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            with connection.cursor() as cursor:
                # Connected before the race starts.
                cursor.execute("SELECT 1")
            start.wait(timeout=10)
            act()
        except Exception as error:  # looked at by the test
            raised[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    return raised


@pytest.fixture
def two_admins() -> tuple[Membership, Membership]:
    organization = OrganizationFactory()
    return (
        MembershipFactory(organization=organization, role=Role.ADMIN),
        MembershipFactory(organization=organization, role=Role.ADMIN),
    )


@pytest.mark.parametrize("attempt", range(5))
def test_two_admins_who_demote_each_other_leave_one(attempt: int, two_admins: tuple[Membership, Membership]) -> None:
    one, other = two_admins
    raised = at_once(
        lambda: change_role(other, role=Role.VIEWER, actor=one.user),
        lambda: change_role(one, role=Role.VIEWER, actor=other.user),
    )
    assert sorted(type(error).__name__ for error in raised) == ["LastAdmin", "NoneType"]
    assert Membership.objects.filter(role=Role.ADMIN).count() == 1


def test_two_admins_who_leave_at_once_leave_one(two_admins: tuple[Membership, Membership]) -> None:
    one, other = two_admins
    raised = at_once(lambda: leave(one), lambda: leave(other))
    assert sum(isinstance(error, LastAdmin) for error in raised) == 1
    assert Membership.objects.filter(role=Role.ADMIN).count() == 1


def test_the_second_waits_for_the_first(two_admins: tuple[Membership, Membership]) -> None:
    """The race made certain: the first holds its locks while the second is at the door."""
    one, other = two_admins
    holding, finished = threading.Event(), threading.Event()
    outcome: list[str] = []

    def first() -> None:
        with transaction.atomic():
            change_role(other, role=Role.VIEWER, actor=one.user)
            holding.set()
            # Long enough for the second to reach the lock; it must not get past it.
            finished.wait(timeout=0.5)
            outcome.append("first commits")

    def second() -> None:
        holding.wait(timeout=10)
        try:
            change_role(one, role=Role.VIEWER, actor=other.user)
        finally:
            outcome.append("second ends")
            finished.set()

    raised = at_once(first, second)
    assert raised[0] is None
    assert isinstance(raised[1], LastAdmin)
    assert outcome == ["first commits", "second ends"]


def test_an_invitation_is_accepted_once() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    user = UserFactory(email="jo@example.test")
    invitation = invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)

    raised = at_once(*[lambda: accept_invitation(invitation, user=user)] * 4)

    assert sum(error is None for error in raised) == 1
    assert all(isinstance(error, InvitationClosed | AlreadyMember) for error in raised if error)
    assert Membership.objects.filter(user=user).count() == 1


def test_an_invitation_that_is_being_accepted_is_not_withdrawn() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    user = UserFactory(email="jo@example.test")
    invitation = invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)
    accepted = threading.Event()

    def accept() -> None:
        with transaction.atomic():
            accept_invitation(invitation, user=user)
            accepted.set()
            # Time for the other one to reach the lock before this commits.
            time.sleep(0.5)

    def withdraw() -> None:
        accepted.wait(timeout=10)
        withdraw_invitation(invitation, actor=admin.user)

    raised = at_once(accept, withdraw)
    assert raised[0] is None
    assert isinstance(raised[1], InvitationClosed)
    assert Invitation.objects.get().accepted_at is not None
    assert not AuditEvent.objects.filter(action="invitation.withdrawn").exists()


def test_two_invitations_of_one_address_are_one() -> None:
    one = MembershipFactory(role=Role.ADMIN)
    other = MembershipFactory(organization=one.organization, role=Role.ADMIN)
    raised = at_once(
        lambda: invite(one.organization, email="jo@example.test", role=Role.MEMBER, invited_by=one.user),
        lambda: invite(one.organization, email="JO@example.test", role=Role.ADMIN, invited_by=other.user),
    )
    assert sorted(type(error).__name__ for error in raised) == ["AlreadyInvited", "NoneType"]
    assert isinstance(next(filter(None, raised)), AlreadyInvited)
    assert Invitation.objects.count() == 1


def test_one_address_goes_to_one_organisation() -> None:
    creators = UserFactory.create_batch(3)
    raised = at_once(*[partial(create_organization, name="Acme", slug="acme", creator=user) for user in creators])
    assert sum(error is None for error in raised) == 1
    assert sum(isinstance(error, SlugTaken) for error in raised) == 2
    assert Organization.objects.get().memberships.get().role == Role.ADMIN
