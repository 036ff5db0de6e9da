"""API tokens: made by admins, shown once, revoked."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Scope, hash_token

SignIn = Callable[[Membership], Client]
FORM = {"name": "Website form", "scopes": ["leads:write", "usage:read"]}


def url(name: str, *args: object, org: str = "acme") -> str:
    return reverse(f"tenants:{name}", args=[org, *args])


@pytest.fixture
def token(admin: Membership) -> ApiToken:
    return ApiToken.issue(admin.organization, name="Zapier", scopes=["leads:write"], created_by=admin.user)[0]


def test_only_admins_see_make_and_revoke(
    admin: Membership,
    member: Membership,
    viewer: Membership,
    outsider: Membership,
    token: ApiToken,
    signed_in: SignIn,
) -> None:
    for who, status in ((member, 403), (viewer, 403), (outsider, 404)):
        client = signed_in(who)
        assert client.get(url("tokens")).status_code == status
        assert client.post(url("tokens"), FORM).status_code == status
        assert client.get(url("token_revoke", token.pk)).status_code == status
        assert client.post(url("token_revoke", token.pk)).status_code == status
    assert Client().post(url("tokens"), FORM).headers["Location"].startswith(reverse("account_login"))
    assert signed_in(outsider).post(url("token_revoke", token.pk, org="globex")).status_code == 404
    assert signed_in(admin).get(url("tokens")).status_code == 200
    token.refresh_from_db()
    assert token.revoked_at is None
    assert ApiToken.objects.count() == 1


def test_the_text_is_in_the_answer_to_the_post_and_nowhere_else(admin: Membership, signed_in: SignIn) -> None:
    client = signed_in(admin)
    response = client.post(url("tokens"), FORM)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    [text] = set(re.findall(r"lat_[\w-]+", response.content.decode()))
    token = ApiToken.objects.get()
    assert token.token_hash == hash_token(text)
    assert (token.name, token.scopes, token.created_by) == ("Website form", FORM["scopes"], admin.user)
    assert ApiToken.authenticate(text) == token

    later = client.get(url("tokens")).content.decode()
    assert text not in later
    assert f"…{text[-4:]}" in later
    assert text not in str(dict(client.session))
    event = AuditEvent.objects.get(action="api_token.created")
    assert event.actor == admin.user
    assert event.after == {"scopes": FORM["scopes"]}
    assert text not in str(AuditEvent.objects.values_list())


def test_a_token_needs_a_name_and_a_known_scope(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).post(url("tokens"), {"name": "", "scopes": ["everything"]})
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"name", "scopes"}
    assert not ApiToken.objects.exists()


def test_a_token_is_made_after_a_recent_sign_in_only(admin: Membership, signed_in: SignIn) -> None:
    client = signed_in(admin)
    session = client.session
    session["signed_in_at"] -= 901
    session.save()

    page = client.get(url("tokens")).content.decode()
    confirm = f"{reverse('account_reauthenticate')}?next={url('tokens').replace('/', '%2F')}"
    assert confirm in page
    assert 'name="scopes"' not in page
    asked = client.post(url("tokens"), FORM).headers["Location"]
    assert asked.startswith(confirm)
    assert not ApiToken.objects.exists()

    answer = client.post(asked, {"password": "correct horse battery staple"})
    assert answer.headers["Location"].startswith(url("tokens"))
    form = client.get(answer.headers["Location"]).context["form"]
    assert (form["name"].value(), form["scopes"].value()) == (FORM["name"], FORM["scopes"]), "what was typed is there"


@pytest.mark.parametrize("age", [0, 901])
def test_a_key_that_was_typed_for_a_name_is_neither_stored_nor_put_into_an_address(
    admin: Membership, signed_in: SignIn, age: int
) -> None:
    key = "sk-proj-" + "Ab1" * 16
    client = signed_in(admin)
    session = client.session
    session["signed_in_at"] -= age
    session.save()
    answer = client.post(url("tokens"), {**FORM, "name": key})
    assert key[8:] not in answer.content.decode() + answer.headers.get("Location", "")
    assert not ApiToken.objects.exists()
    assert key not in client.get(url("tokens"), {"name": key}).content.decode()


def test_revoking_asks_first_and_ends_it(admin: Membership, token: ApiToken, signed_in: SignIn) -> None:
    text = ApiToken.issue(admin.organization, name="Second", scopes=[Scope.USAGE_READ], created_by=None)[1]
    second = ApiToken.objects.get(name="Second")
    client = signed_in(admin)
    assert client.get(url("token_revoke", second.pk)).status_code == 200
    assert ApiToken.authenticate(text) is not None

    assert client.post(url("token_revoke", second.pk)).headers["Location"] == url("tokens")

    assert ApiToken.authenticate(text) is None
    page = client.get(url("tokens")).content.decode()
    assert "Zapier" in page
    assert f"…{second.last4}" not in page
    assert AuditEvent.objects.get(action="api_token.revoked").target == f"Second (…{second.last4})"
    assert client.post(url("token_revoke", second.pk)).status_code == 404


def test_the_page_costs_the_same_for_one_and_for_many(
    admin: Membership, token: ApiToken, signed_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(admin)
    # Session, user, membership with organisation, tokens with creators, organisations of the shell,
    # and two for what the banners say: free tier, state of the key.
    with django_assert_num_queries(7):
        client.get(url("tokens"))
    for name in ("b", "c"):
        ApiToken.issue(admin.organization, name=name, scopes=["usage:read"], created_by=admin.user)
    with django_assert_num_queries(7):
        client.get(url("tokens"))
