"""The members page and its acts, for everyone who might try."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from leadagent.tenants.invitations import invite
from leadagent.tenants.models import AuditEvent, Invitation, Membership, Organization, Role
from tests.factories import MembershipFactory

SignIn = Callable[[Membership], Client]


def url(name: str, *args: object, org: str = "acme") -> str:
    return reverse(f"tenants:{name}", args=[org, *args])


@pytest.fixture
def invitation(admin: Membership) -> Invitation:
    return invite(admin.organization, email="jo@example.test", role=Role.VIEWER, invited_by=admin.user)


# --- Who may ------------------------------------------------------------------------


def test_only_admins_see_it(
    admin: Membership, member: Membership, viewer: Membership, outsider: Membership, signed_in: SignIn
) -> None:
    assert signed_in(admin).get(url("members")).status_code == 200
    assert signed_in(member).get(url("members")).status_code == 403
    assert signed_in(viewer).get(url("members")).status_code == 403
    assert signed_in(outsider).get(url("members")).status_code == 404
    anonymous = Client().get(url("members"))
    assert anonymous.headers["Location"] == f"{reverse('account_login')}?next={url('members')}"


def test_only_admins_act(
    admin: Membership,
    member: Membership,
    viewer: Membership,
    outsider: Membership,
    invitation: Invitation,
    signed_in: SignIn,
) -> None:
    acts = [
        (url("members"), {"email": "x@example.test", "role": "viewer"}),
        (url("member_role", admin.pk), {"role": "viewer"}),
        (url("member_remove", admin.pk), {}),
        (url("invitation_resend", invitation.pk), {}),
        (url("invitation_withdraw", invitation.pk), {}),
    ]
    for who, status in ((member, 403), (viewer, 403), (outsider, 404)):
        client = signed_in(who)
        for address, data in acts:
            assert client.post(address, data).status_code == status, (who, address)
    for address, data in acts:
        assert Client().post(address, data).headers["Location"].startswith(reverse("account_login"))
    assert Membership.objects.filter(organization=admin.organization).count() == 3
    assert Invitation.objects.get() == invitation
    assert not AuditEvent.objects.exclude(action__in=("invitation.sent", "access.refused")).exists()


def test_rows_of_another_organisation_are_not_there(
    admin: Membership, outsider: Membership, invitation: Invitation, signed_in: SignIn
) -> None:
    """An admin elsewhere, with the numbers of our rows under their own address."""
    client = signed_in(outsider)
    assert client.post(url("member_role", admin.pk, org="globex"), {"role": "viewer"}).status_code == 404
    assert client.post(url("member_remove", admin.pk, org="globex")).status_code == 404
    assert client.get(url("member_remove", admin.pk, org="globex")).status_code == 404
    assert client.post(url("invitation_resend", invitation.pk, org="globex")).status_code == 404
    assert client.post(url("invitation_withdraw", invitation.pk, org="globex")).status_code == 404
    admin.refresh_from_db()
    assert admin.role == Role.ADMIN
    assert Invitation.objects.filter(pk=invitation.pk).exists()


def test_a_post_without_the_csrf_token_is_refused(admin: Membership) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin.user)
    assert client.post(url("members"), {"email": "x@example.test", "role": "viewer"}).status_code == 403


def test_a_get_of_an_act_changes_nothing_and_leads_back(
    admin: Membership, member: Membership, invitation: Invitation, signed_in: SignIn
) -> None:
    client = signed_in(admin)
    for address in (
        url("member_role", member.pk),
        url("invitation_resend", invitation.pk),
        url("invitation_withdraw", invitation.pk),
    ):
        assert client.get(address).headers["Location"] == url("members")
    assert AuditEvent.objects.count() == 1


# --- Inviting -----------------------------------------------------------------------


def test_an_invalid_form_says_what_is_wrong_beside_the_field(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("members"), {"email": "not an address", "role": "owner"})
    assert response.status_code == 422
    form = response.context["form"]
    assert set(form.errors) == {"email", "role"}
    assert "not an address" in response.content.decode(), "what was typed is still there"


def test_a_refusal_is_shown_at_the_address(admin: Membership, member: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("members"), {"email": "member@acme.test", "role": "viewer"})
    assert response.status_code == 422
    assert response.context["form"].errors == {"email": ["member@acme.test is a member of Acme already."]}


# --- Roles and removal --------------------------------------------------------------


def test_an_admin_changes_a_role(admin: Membership, member: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("member_role", member.pk), {"role": "admin"})
    assert response.headers["Location"] == url("members")
    member.refresh_from_db()
    assert member.role == Role.ADMIN


def test_an_unknown_role_is_refused(admin: Membership, member: Membership, signed_in: SignIn) -> None:
    assert signed_in(admin).post(url("member_role", member.pk), {"role": "owner"}).status_code == 422
    member.refresh_from_db()
    assert member.role == Role.MEMBER


def test_the_last_admin_is_told_at_their_row(admin: Membership, member: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("member_role", admin.pk), {"role": "member"})
    assert response.status_code == 409
    assert response.context["members"] == [
        (admin, "Acme needs at least one admin. Make someone else an admin first."),
        (member, ""),
    ]
    assert f'id="member-error-{admin.pk}"' in response.content.decode()


def test_who_gives_up_admin_goes_where_they_may_be(
    admin: Membership, organization: Organization, signed_in: SignIn
) -> None:
    MembershipFactory(organization=organization, role=Role.ADMIN)
    response = signed_in(admin).post(url("member_role", admin.pk), {"role": "viewer"})
    assert response.headers["Location"] == reverse("leads:list", args=["acme"])


def test_removal_asks_first_and_is_felt_at_once(admin: Membership, member: Membership, signed_in: SignIn) -> None:
    theirs = signed_in(member)
    assert theirs.get(url("leave")).status_code == 200
    ours = signed_in(admin)

    asked = ours.get(url("member_remove", member.pk))
    assert asked.status_code == 200
    assert Membership.objects.filter(pk=member.pk).exists()

    assert ours.post(url("member_remove", member.pk)).headers["Location"] == url("members")
    assert theirs.get(url("leave")).status_code == 404, "the session is still valid, the membership is not"
    assert ours.post(url("member_remove", member.pk)).status_code == 404


def test_the_last_admin_cannot_be_removed(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("member_remove", admin.pk))
    assert response.status_code == 409
    assert "needs at least one admin" in response.content.decode()


# --- Leaving ------------------------------------------------------------------------


def test_everyone_may_leave(member: Membership, viewer: Membership, signed_in: SignIn) -> None:
    for who in (member, viewer):
        client = signed_in(who)
        assert client.get(url("leave")).status_code == 200
        assert Membership.objects.filter(pk=who.pk).exists(), "a GET changes nothing"
        assert client.post(url("leave")).headers["Location"] == reverse("home")
        assert not Membership.objects.filter(pk=who.pk).exists()


def test_the_last_admin_may_not_leave(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("leave"))
    assert response.status_code == 409
    page = response.content.decode()
    assert "Acme needs at least one admin" in page
    assert url("members") in page, "the way to mend it"


def test_outsiders_have_nothing_to_leave(outsider: Membership, organization: Organization, signed_in: SignIn) -> None:
    assert signed_in(outsider).post(url("leave")).status_code == 404
    assert Client().post(url("leave")).headers["Location"].startswith(reverse("account_login"))


# --- Two organisations, and cost ----------------------------------------------------


def test_two_tabs_act_on_the_organisation_in_their_address(
    admin: Membership, member: Membership, signed_in: SignIn
) -> None:
    """The same person and session; which organisation is meant stands in the URL only."""
    second = MembershipFactory(user=admin.user, organization__slug="globex", role=Role.ADMIN)
    client = signed_in(admin)
    assert "member@acme.test" in client.get(url("members")).content.decode()
    assert "member@acme.test" not in client.get(url("members", org="globex")).content.decode()

    client.post(url("members"), {"email": "jo@example.test", "role": "viewer"})

    assert admin.organization.invitations.count() == 1
    assert second.organization.invitations.count() == 0


def test_the_page_costs_the_same_for_one_and_for_many(
    admin: Membership, signed_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(admin)
    invite(admin.organization, email="first@example.test", role=Role.VIEWER, invited_by=admin.user)
    # Session, user, membership with organisation, members, invitations, organisations of the shell,
    # and two for what the banners say: free tier, state of the key.
    with django_assert_num_queries(8):
        client.get(url("members"))
    for number in range(3):
        other = MembershipFactory(organization=admin.organization, role=Role.ADMIN)
        invite(admin.organization, email=f"more{number}@example.test", role=Role.VIEWER, invited_by=other.user)
    with django_assert_num_queries(8):
        client.get(url("members"))
