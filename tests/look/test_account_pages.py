"""Every page of allauth that a person can reach, walked in a browser and held to axe."""

import re
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from playwright.sync_api import expect
from pytest_django import Settings

from leadagent.tenants.models import Membership
from tests.factories import PASSWORD
from tests.look.conftest import Variant, Visit

pytestmark = pytest.mark.network_loopback


@pytest.fixture
def hold(visit: Visit, variant: Variant) -> Callable[[str], None]:
    def to_the_rules(name: str) -> None:
        visit.hold_to_the_rules(f"account-{name}-{variant}")

    return to_the_rules


def newest_link() -> str:
    """The path of the link in the newest mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found.group(1)


def sign_in(visit: Visit, email: str, password: str = PASSWORD) -> None:
    page = visit.open("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()


def code_of(secret: str) -> str:
    now = list(yield_hotp_counters_from_time())[1]
    return str(format_hotp_value(hotp_value(secret, now)))


def test_making_an_account(visit: Visit, hold: Callable[[str], None], transactional_db: None) -> None:
    page = visit.open("/accounts/login/")
    page.get_by_role("link", name="Make an account").click()
    hold("signup")
    page.get_by_label("Email").fill("jo@example.test")
    page.get_by_label("Password", exact=True).fill("12345")
    page.get_by_label("Password again").fill("123456")
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_text("This password is too short.")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    hold("signup-errors")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
    hold("verification-sent")
    visit.open(newest_link())
    expect(page.get_by_text("Is jo@example.test your address?")).to_be_visible()
    hold("email-confirm")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#toasts")).not_to_be_empty()
    visit.open("/accounts/confirm-email/no-such-key/")
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
    hold("email-confirm-invalid")


def test_a_forgotten_password(visit: Visit, hold: Callable[[str], None], admin: Membership) -> None:
    sign_in(visit, admin.user.email, "wrong")
    page = visit.page
    expect(page.get_by_role("alert")).to_be_focused()
    hold("login-error")
    page.get_by_role("link", name="Forgot your password?").click()
    hold("password-reset")
    page.get_by_label("Email").fill(admin.user.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
    hold("password-reset-done")
    link = newest_link()
    visit.open(link)
    page.get_by_label("New password", exact=True).fill("another long password")
    page.get_by_label("New password again").fill("another long passwort")
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_text("You must type the same password each time.")).to_be_visible()
    hold("password-set-errors")
    page.get_by_label("New password", exact=True).fill("another long password")
    page.get_by_label("New password again").fill("another long password")
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_role("heading", name="Your password is changed")).to_be_visible()
    hold("password-reset-complete")
    visit.open(link)
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
    hold("password-reset-invalid")
    visit.open("/accounts/inactive/")
    hold("inactive")


def test_two_factors(visit: Visit, hold: Callable[[str], None], admin: Membership, settings: Settings) -> None:
    settings.MFA_TOTP_TOLERANCE = 1  # The half minute may end between our code and its check.
    sign_in(visit, admin.user.email)
    page = visit.open("/accounts/2fa/")
    expect(page.get_by_role("link", name="Two-factor", exact=True)).to_have_attribute("aria-current", "page")
    hold("mfa-off")
    page.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    secret = page.get_by_label("secret", exact=True).input_value()
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Incorrect code.")).to_be_visible()
    hold("mfa-activate-error")
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("list", name="Unused codes").get_by_role("listitem")).to_have_count(10)
    hold("recovery-codes")
    page.get_by_role("link", name="Make new codes").click()
    hold("recovery-codes-new")
    page.get_by_role("button", name="Make new codes").click()
    recovery = page.get_by_role("list", name="Unused codes").get_by_role("listitem").first.inner_text()
    page.get_by_role("main").get_by_role("link", name="Two-factor sign-in").click()
    expect(page.get_by_text("10 of 10 left.")).to_be_visible()
    hold("mfa-on")

    visit.open("/accounts/logout/")
    hold("logout")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    sign_in(visit, admin.user.email)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    hold("mfa-authenticate")
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    visit.open("/accounts/2fa/reauthenticate/")
    hold("mfa-reauthenticate")
    visit.open("/accounts/2fa/totp/deactivate/")
    expect(page.get_by_role("link", name="Use authenticator app or code")).to_be_visible()
    hold("reauthenticate-alternatives")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Turn off the authenticator app?")).to_be_visible()
    hold("mfa-deactivate")
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("link", name="Set up")).to_be_visible()


def test_ones_own_account(as_admin: Visit, hold: Callable[[str], None]) -> None:
    page = as_admin.open("/accounts/email/")
    page.get_by_label("Email").fill("second@acme.test")
    page.get_by_role("button", name="Add address").click()
    expect(page.get_by_label("second@acme.test")).to_be_visible()
    expect(page.get_by_text("Not confirmed")).to_be_visible()
    hold("email")
    as_admin.open("/accounts/password/change/")
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password", exact=True).fill("another long password")
    page.get_by_label("New password again").fill("another long password")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("Current password")).to_be_focused()
    hold("password-change-error")
    as_admin.open("/accounts/reauthenticate/")
    hold("reauthenticate")
