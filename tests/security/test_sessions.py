"""When a session ends: signing out, leaving an organisation, a new password, an account that is switched off."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.tenants.models import ApiToken, Membership, Organization, Role, User
from tests.factories import PASSWORD, MembershipFactory

pytestmark = pytest.mark.django_db

PAGES = ("byok:settings", "tenants:members", "tenants:tokens", "usage:dashboard", "leads:list")


def sign_in(user: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert client.get(reverse("home")).status_code == 302
    return client


def statuses(client: Client, organization: Organization) -> set[int]:
    return {client.get(reverse(name, args=[organization.slug])).status_code for name in PAGES}


def api(client: Client) -> int:
    return int(client.get("/api/ai-config").status_code)


@pytest.fixture
def desk(admin: Membership) -> Client:
    client = sign_in(admin.user)
    assert statuses(client, admin.organization) == {200}
    assert api(client) == 200
    return client


def test_signing_out_ends_it_for_a_copied_cookie_too(desk: Client, organization: Organization) -> None:
    copied = Client()
    copied.cookies.load(desk.cookies.output(attrs=[], header="", sep=";"))
    assert statuses(copied, organization) == {200}
    desk.post(reverse("account_logout"))
    for client in (desk, copied):
        assert statuses(client, organization) == {302}
        assert api(client) == 401


def test_a_removed_member_is_out_at_once(desk: Client, admin: Membership, organization: Organization) -> None:
    MembershipFactory(organization=organization, role=Role.ADMIN)
    admin.delete()
    assert statuses(desk, organization) == {404}
    assert api(desk) in {403, 404}
    assert desk.post(reverse("byok:settings", args=[organization.slug]), {}).status_code == 404


def test_a_role_that_was_lowered_counts_at_once(desk: Client, admin: Membership, organization: Organization) -> None:
    Membership.objects.filter(pk=admin.pk).update(role=Role.VIEWER)
    assert desk.get(reverse("byok:settings", args=[organization.slug])).status_code == 403
    assert desk.get(reverse("usage:dashboard", args=[organization.slug])).status_code == 200
    assert api(desk) == 403


def test_a_new_password_ends_every_other_session(desk: Client, admin: Membership, organization: Organization) -> None:
    elsewhere = sign_in(admin.user)
    new = "a-quite-different-passphrase-9"
    changed = desk.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )
    assert changed.status_code == 302
    assert statuses(elsewhere, organization) == {302}
    assert api(elsewhere) == 401


def test_an_account_that_is_switched_off_is_out_at_once(
    desk: Client, admin: Membership, organization: Organization
) -> None:
    User.objects.filter(pk=admin.user_id).update(is_active=False)
    assert statuses(desk, organization) == {302}
    assert api(desk) == 401


def test_signing_in_changes_the_sessions_name(client: Client, admin: Membership) -> None:
    """A session id that somebody planted beforehand is worth nothing afterwards."""
    client.get(reverse("account_login"))
    client.session["planted"] = True
    client.session.save()
    planted = client.session.session_key
    client.post(reverse("account_login"), {"login": admin.user.email, "password": PASSWORD})
    assert client.session.session_key != planted


def test_a_revoked_token_is_refused_at_once(organization: Organization, client: Client) -> None:
    token, text = ApiToken.issue(organization, name="CI", scopes=["config:read"], created_by=None)
    headers: dict[str, Any] = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/ai-config", headers=headers).status_code == 200
    from leadagent.tenants.api_tokens import revoke_token

    revoke_token(token, actor=MembershipFactory(organization=organization, role=Role.ADMIN).user)
    assert client.get("/api/ai-config", headers=headers).status_code == 401


def test_cookies_are_for_this_site_and_no_script(desk: Client) -> None:
    for name in ("sessionid", "csrftoken"):
        cookie = desk.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


def test_pages_with_settings_are_kept_by_nobody(
    signed_in: Callable[[Membership], Client], admin: Membership, organization: Organization
) -> None:
    client = signed_in(admin)
    for name in ("byok:settings", "tenants:tokens"):
        answer = client.get(reverse(name, args=[organization.slug]))
        assert "no-store" in answer.headers["Cache-Control"]
