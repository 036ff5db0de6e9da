"""Sign-up, sign-in, two-factor sign-in and password reset, through allauth's real views."""

import re
from smtplib import SMTPServerDisconnected

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from leadagent.tenants.invitations import invite
from leadagent.tenants.models import Membership, Role, User
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW = {"email": "Jo@Example.test", "password1": PASSWORD, "password2": PASSWORD}


def link_in(message: mail.EmailMessage, path: str) -> str:
    found = re.search(rf"https?://[^/\s]+({path}\S+)", str(message.body))
    assert found, message.body
    return found.group(1)


def sign_in(client: Client, email: str, password: str = PASSWORD, **data: str) -> str:
    """Use the sign-in form; where it leads to, or "" when it is shown again."""
    response = client.post(reverse("account_login"), {"login": email, "password": password, **data})
    return response.headers.get("Location", "")


def test_from_sign_up_to_the_first_organisation(client: Client) -> None:
    response = client.post(reverse("account_signup"), NEW)
    assert response.headers["Location"] == reverse("account_email_verification_sent")
    assert client.get(reverse("home")).status_code == 200, "not signed in before the address is confirmed"

    [message] = mail.outbox
    assert message.subject == "Confirm your email address"
    assert message.to == ["jo@example.test"]
    confirm = link_in(message, reverse("account_confirm_email", args=["x"])[:-2])
    assert client.get(confirm).status_code == 200
    assert EmailAddress.objects.get().verified is False, "a GET confirms nothing"

    confirmed = client.post(confirm)
    assert confirmed.headers["Location"] == reverse("home")
    assert client.get(reverse("home")).headers["Location"] == reverse("tenants:create")


def test_an_invited_newcomer_comes_back_to_the_invitation(
    client: Client, admin: Membership, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)
    invitation = link_in(mail.outbox.pop(), "/invitations/")
    page = client.get(invitation).content.decode()
    found = re.search(rf'href="({reverse("account_signup")}[^"]*)"', page)
    assert found
    sign_up = client.get(found.group(1).replace("&amp;", "&"))
    assert sign_up.context["form"]["email"].value() == "jo@example.test"

    client.post(reverse("account_signup"), NEW | {"next": invitation})
    confirmed = client.post(link_in(mail.outbox[0], "/accounts/confirm-email/"))
    assert confirmed.headers["Location"] == invitation
    client.post(invitation)
    assert Membership.objects.get(user__email="jo@example.test").role == Role.MEMBER


def test_confirmed_in_another_browser_the_invitation_is_offered_after_sign_in(
    client: Client, admin: Membership
) -> None:
    invite(admin.organization, email="jo@example.test", role=Role.MEMBER, invited_by=admin.user)
    client.post(reverse("account_signup"), NEW)
    other = Client()
    other.post(link_in(mail.outbox[-1], "/accounts/confirm-email/"))
    assert sign_in(other, "jo@example.test") == reverse("home")
    page = other.get(reverse("home")).content.decode()
    assert "Accept the invitation to Acme" in page


def test_sign_in_goes_where_one_was_headed(client: Client, admin: Membership) -> None:
    members = reverse("tenants:members", args=["acme"])
    assert sign_in(client, "ADMIN@acme.test", next=members) == members
    assert client.get(members).status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test/"])
def test_sign_in_never_leads_to_another_site(client: Client, admin: Membership, elsewhere: str) -> None:
    assert sign_in(client, "admin@acme.test", next=elsewhere) == reverse("home")


def test_a_wrong_password_stays_out_and_is_limited(client: Client, admin: Membership) -> None:
    for _ in range(5):
        assert sign_in(client, "admin@acme.test", "wrong") == ""
    assert sign_in(client, "admin@acme.test") == "", "too many failures: the right password waits too"
    assert "_auth_user_id" not in client.session


def test_an_unconfirmed_address_cannot_sign_in(client: Client) -> None:
    UserFactory(email="jo@example.test", verified=False)
    assert sign_in(client, "jo@example.test") == reverse("account_email_verification_sent")
    assert "_auth_user_id" not in client.session


def test_signing_up_twice_tells_the_owner_and_not_the_visitor(client: Client) -> None:
    UserFactory(email="jo@example.test")
    response = client.post(reverse("account_signup"), NEW)
    assert response.headers["Location"] == reverse("account_email_verification_sent")
    [message] = mail.outbox
    assert message.subject == "You have an account already"
    assert User.objects.count() == 1


def test_a_password_is_reset_by_email(client: Client, admin: Membership) -> None:
    client.post(reverse("account_reset_password"), {"email": "admin@acme.test"})
    [message] = mail.outbox
    assert message.subject == "Set a new password"
    form = client.get(link_in(message, "/accounts/password/reset/key/"), follow=True)
    where = form.redirect_chain[-1][0]
    new = "a wholly other passphrase"
    client.post(where, {"password1": new, "password2": new})
    assert sign_in(Client(), "admin@acme.test") == ""
    assert sign_in(Client(), "admin@acme.test", new) == reverse("home")


def test_two_factor_sign_in(client: Client, admin: Membership) -> None:
    sign_in(client, "admin@acme.test")
    activate = reverse("mfa_activate_totp")
    # allauth asks for the password once more before it shows the secret.
    asked = client.get(activate)
    client.post(asked.headers["Location"], {"password": PASSWORD})
    page = client.get(activate)
    secret = page.context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    assert client.post(activate, {"code": code}).status_code == 302

    other = Client()
    assert sign_in(other, "admin@acme.test") == reverse("mfa_authenticate")
    assert "_auth_user_id" not in other.session, "the password alone is not enough"
    assert other.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert "_auth_user_id" not in other.session


def test_signing_out_is_a_post(client: Client, admin: Membership) -> None:
    sign_in(client, "admin@acme.test")
    assert client.get(reverse("account_logout")).status_code == 200
    assert client.get(reverse("tenants:members", args=["acme"])).status_code == 200
    client.post(reverse("account_logout"))
    assert client.get(reverse("tenants:members", args=["acme"])).status_code == 302


def test_an_account_that_is_switched_off_is_out_at_once(client: Client, admin: Membership) -> None:
    sign_in(client, "admin@acme.test")
    User.objects.filter(pk=admin.user_id).update(is_active=False)
    assert client.get(reverse("tenants:members", args=["acme"])).status_code == 302


class Unreachable(EmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, messages: object) -> int:
        raise SMTPServerDisconnected("Connection unexpectedly closed")


def test_sign_up_survives_a_mail_server_that_is_away(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Unreachable"
    response = client.post(reverse("account_signup"), NEW, follow=True)
    assert response.status_code == 200
    said = [str(message) for message in response.context["messages"]]
    assert said == ["We could not send the email just now. Try again in a few minutes."]
    assert User.objects.get().email == "jo@example.test"


def test_every_account_page_renders(client: Client, admin: Membership) -> None:
    for name in ("account_login", "account_signup", "account_reset_password", "account_reset_password_done"):
        assert client.get(reverse(name)).status_code == 200, name
    client.force_login(admin.user)
    for name in ("account_email", "account_change_password", "account_reauthenticate", "mfa_index", "account_logout"):
        assert client.get(reverse(name)).status_code == 200, name


def test_the_adapter_is_ours() -> None:
    assert django_settings.ACCOUNT_ADAPTER == "leadagent.tenants.account_adapter.AccountAdapter"
