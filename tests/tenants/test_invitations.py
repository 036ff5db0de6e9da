"""An invitation from the admin's form to the new member, with the email in between."""

import re
from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.tenants import invitations as acts
from leadagent.tenants.invitations import (
    AlreadyInvited,
    AlreadyMember,
    InvitationClosed,
    TooManyInvitations,
    WrongAddress,
    accept_invitation,
    invite,
    resend_invitation,
    withdraw_invitation,
)
from leadagent.tenants.models import AuditEvent, Invitation, Membership, Organization, Role, hash_token
from tests.factories import MembershipFactory, UserFactory

SignIn = Callable[[Membership], Client]


@pytest.fixture
def invited(admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Invitation:
    with django_capture_on_commit_callbacks(execute=True):
        return invite(admin.organization, email="Jo@Example.test", role=Role.MEMBER, invited_by=admin.user)


def link_in(message: mail.EmailMessage) -> str:
    """The path of the invitation link."""
    found = re.search(r"https?://[^/\s]+(/invitations/\S+)", str(message.body))
    assert found
    return found.group(1)


def test_the_email_says_who_where_and_what(invited: Invitation) -> None:
    [message] = mail.outbox
    assert message.to == ["jo@example.test"]
    assert message.subject == "Join Acme on Lead Agent"
    assert "admin@acme.test invites you to Acme on Lead Agent, as member." in str(message.body)
    [(html, kind)] = message.alternatives  # type: ignore[attr-defined]
    assert kind == "text/html"
    assert link_in(message) in html
    invited.refresh_from_db()
    assert invited.sent_at is not None


def test_the_token_is_stored_as_its_hash_only(invited: Invitation) -> None:
    token = link_in(mail.outbox[0]).rstrip("/").rsplit("/", 1)[-1]
    assert len(token) >= 43  # 256 bits in base64
    assert invited.token_hash == hash_token(token)
    assert token not in str(AuditEvent.objects.values_list())
    assert token not in str(Invitation.objects.values_list())


def test_nothing_is_sent_before_the_commit(
    admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as waiting:
        invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)
    assert len(waiting) == 1
    assert mail.outbox == []


def test_a_line_break_in_an_old_name_stays_out_of_the_header(
    admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    Organization.objects.filter(pk=admin.organization_id).update(name="Acme\nBcc: all@example.test")
    admin.organization.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)
    [message] = mail.outbox
    assert message.subject == "Join Acme Bcc: all@example.test on Lead Agent"
    assert message.recipients() == ["jo@example.test"]


def test_an_address_with_a_line_break_is_refused_by_the_form(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(
        reverse("tenants:members", args=["acme"]), {"email": "jo@example.test\nBcc: x@y.test", "role": "member"}
    )
    assert response.status_code == 422
    assert not Invitation.objects.exists()


# --- Accepting ----------------------------------------------------------------------


def test_the_invited_person_sees_who_asks_and_joins(invited: Invitation) -> None:
    user = UserFactory(email="jo@example.test")
    client = Client()
    client.force_login(user)
    link = link_in(mail.outbox[0])

    page = client.get(link)
    assert page.status_code == 200
    assert "admin@acme.test invites you to Acme on Lead Agent, as member." in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert not Membership.objects.filter(user=user).exists(), "a GET changes nothing"

    response = client.post(link)
    assert response.status_code == 302
    assert response.headers["Location"] == reverse("leads:list", args=["acme"])
    assert Membership.objects.get(user=user).role == Role.MEMBER
    event = AuditEvent.objects.get(action="invitation.accepted")
    assert (event.actor, event.organization, event.after) == (user, invited.organization, {"role": "member"})

    assert client.get(link).status_code == 404, "the link works once"
    assert client.post(link).status_code == 404


def test_without_an_account_one_is_led_to_sign_up_and_back(invited: Invitation) -> None:
    link = link_in(mail.outbox[0])
    page = Client().get(link).content.decode()
    assert f"{reverse('account_signup')}?next={link.replace('/', '%2F')}&amp;email=jo%40example.test" in page
    assert f"{reverse('account_login')}?next={link.replace('/', '%2F')}" in page
    signup = Client().get(reverse("account_signup"), {"email": "jo@example.test", "next": link}).content.decode()
    assert 'value="jo@example.test"' in signup


def test_signed_out_posts_accept_nothing(invited: Invitation) -> None:
    assert Client().post(link_in(mail.outbox[0])).status_code == 200
    assert invited.organization.memberships.count() == 1


def test_another_address_is_told_so(invited: Invitation, outsider: Membership, signed_in: SignIn) -> None:
    client = signed_in(outsider)
    link = link_in(mail.outbox[0])
    for response in (client.get(link), client.post(link)):
        assert response.status_code == 403
        page = response.content.decode()
        assert "It was sent to jo@example.test. You are signed in as outsider@globex.test." in page
    assert not Membership.objects.filter(user=outsider.user, organization=invited.organization).exists()


def test_an_unverified_address_does_not_count(invited: Invitation) -> None:
    user = UserFactory(email="jo@example.test", verified=False)
    with pytest.raises(WrongAddress, match=r"for jo@example\.test"):
        accept_invitation(invited, user=user)


def test_a_second_verified_address_counts(invited: Invitation, outsider: Membership) -> None:
    from allauth.account.models import EmailAddress

    EmailAddress.objects.create(user=outsider.user, email="jo@example.test", verified=True, primary=False)
    assert accept_invitation(invited, user=outsider.user).organization == invited.organization


def test_after_seven_days_it_is_over(invited: Invitation) -> None:
    user = UserFactory(email="jo@example.test")
    client = Client()
    client.force_login(user)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        client.force_login(user)
        response = client.post(link_in(mail.outbox[0]))
        assert response.status_code == 404
        assert "seven days" in response.content.decode()
        with pytest.raises(InvitationClosed):
            accept_invitation(invited, user=user)
    with time_machine.travel(timezone.now() + timedelta(days=6, hours=23)):
        assert accept_invitation(invited, user=user)


@pytest.mark.django_db
def test_a_made_up_token_looks_like_a_used_one() -> None:
    assert Client().get(reverse("tenants:invitation", args=["made-up"])).status_code == 404


def test_who_is_a_member_already_keeps_the_role(invited: Invitation, organization: Organization) -> None:
    membership = MembershipFactory(organization=organization, user__email="jo@example.test", role=Role.VIEWER)
    client = Client()
    client.force_login(membership.user)
    response = client.post(link_in(mail.outbox[0]))
    assert response.headers["Location"] == reverse("leads:list", args=["acme"])
    membership.refresh_from_db()
    assert membership.role == Role.VIEWER


def test_the_list_of_organisations_offers_it(invited: Invitation) -> None:
    user = UserFactory(email="jo@example.test")
    client = Client()
    client.force_login(user)
    page = client.get(reverse("home"))
    assert page.status_code == 200
    accept = reverse("tenants:invitation_accept", args=[invited.pk])
    assert accept in page.content.decode()
    assert client.get(accept).headers["Location"] == reverse("tenants:organizations")
    assert not Membership.objects.filter(user=user).exists()
    assert client.post(accept).status_code == 302
    assert Membership.objects.filter(user=user, organization=invited.organization).exists()


def test_nobody_else_can_accept_it_by_number(invited: Invitation, outsider: Membership, signed_in: SignIn) -> None:
    accept = reverse("tenants:invitation_accept", args=[invited.pk])
    assert signed_in(outsider).post(accept).status_code == 404
    assert Client().post(accept).headers["Location"].startswith(reverse("account_login"))


# --- Sending again, withdrawing, limits ---------------------------------------------


def test_sending_again_replaces_the_link(
    invited: Invitation, admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    old = link_in(mail.outbox[0])
    with django_capture_on_commit_callbacks(execute=True):
        resend_invitation(invited, actor=admin.user)
    new = link_in(mail.outbox[1])
    assert old != new
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    assert AuditEvent.objects.filter(action="invitation.resent", actor=admin.user).count() == 1


def test_a_withdrawn_link_is_dead(invited: Invitation, admin: Membership) -> None:
    withdraw_invitation(invited, actor=admin.user)
    assert Client().get(link_in(mail.outbox[0])).status_code == 404
    assert AuditEvent.objects.get(action="invitation.withdrawn").before == {"role": "member"}
    with pytest.raises(InvitationClosed):
        withdraw_invitation(invited, actor=admin.user)
    with pytest.raises(InvitationClosed):
        resend_invitation(invited, actor=admin.user)


def test_the_same_address_twice_points_to_the_open_one(invited: Invitation, admin: Membership) -> None:
    with pytest.raises(AlreadyInvited, match="Send it again"):
        invite(admin.organization, email="JO@example.test", role=Role.ADMIN, invited_by=admin.user)


def test_an_expired_one_is_opened_again(invited: Invitation, admin: Membership) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    again = invite(admin.organization, email="jo@example.test", role=Role.VIEWER, invited_by=admin.user)
    assert again.pk == invited.pk
    assert again.is_open
    again.refresh_from_db()
    assert (again.role, again.sent_at) == (Role.VIEWER, None)


def test_a_member_is_not_invited(admin: Membership, member: Membership) -> None:
    with pytest.raises(AlreadyMember, match=r"member@acme\.test is a member of Acme"):
        invite(admin.organization, email="Member@acme.test", role=Role.MEMBER, invited_by=admin.user)


def test_an_organisation_sends_a_limited_number_an_hour(
    admin: Membership, outsider: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_INVITATIONS_PER_HOUR", 2)
    first = invite(admin.organization, email="a@example.test", role=Role.MEMBER, invited_by=admin.user)
    resend_invitation(first, actor=admin.user)
    with pytest.raises(TooManyInvitations, match="in an hour"):
        invite(admin.organization, email="b@example.test", role=Role.MEMBER, invited_by=admin.user)
    with pytest.raises(TooManyInvitations):
        resend_invitation(first, actor=admin.user)
    assert invite(outsider.organization, email="b@example.test", role=Role.MEMBER, invited_by=outsider.user)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert invite(admin.organization, email="b@example.test", role=Role.MEMBER, invited_by=admin.user)


def test_a_person_sends_a_limited_number_from_all_organisations(
    admin: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_INVITATIONS_PER_HOUR", 1)
    second = MembershipFactory(user=admin.user, role=Role.ADMIN)
    invite(admin.organization, email="a@example.test", role=Role.MEMBER, invited_by=admin.user)
    with pytest.raises(TooManyInvitations):
        invite(second.organization, email="b@example.test", role=Role.MEMBER, invited_by=admin.user)


class Unreachable(EmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, messages: object) -> int:
        raise SMTPServerDisconnected("Connection unexpectedly closed")


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_is_said_and_mended(
    admin: Membership, signed_in: SignIn, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = signed_in(admin)
    members = reverse("tenants:members", args=["acme"])
    settings.EMAIL_BACKEND = f"{__name__}.Unreachable"

    page = client.post(members, {"email": "jo@example.test", "role": "member"}, follow=True).content.decode()

    assert "the email could not be sent" in page
    assert "Not sent" in page
    invitation = Invitation.objects.get()
    assert invitation.sent_at is None
    assert "was not sent: SMTPServerDisconnected" in caplog.text

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    again = reverse("tenants:invitation_resend", args=["acme", invitation.pk])
    page = client.post(again, follow=True).content.decode()
    assert "Invitation sent to jo@example.test." in page
    assert "Not sent" not in page
    assert len(mail.outbox) == 1
