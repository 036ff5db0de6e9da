from django.test import Client, RequestFactory
from pytest_django import Settings

from leadagent.tenants.models import Membership
from leadagent.tenants.recent_sign_in import confirm_identity_url, signed_in_recently


def test_a_sign_in_counts_for_a_while(client: Client, admin: Membership, settings: Settings) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 60
    client.force_login(admin.user)
    request = RequestFactory().get("/")
    request.session = client.session
    assert signed_in_recently(request)
    request.session["signed_in_at"] -= 61
    assert not signed_in_recently(request)


def test_a_session_from_before_this_was_noted_does_not_count(client: Client, db: None) -> None:
    request = RequestFactory().get("/")
    request.session = client.session
    assert not signed_in_recently(request)


def test_the_way_back_is_quoted() -> None:
    assert confirm_identity_url("/o/acme/?a=1&b=2").endswith("?next=%2Fo%2Facme%2F%3Fa%3D1%26b%3D2")
