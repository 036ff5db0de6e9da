"""Who gets into the JSON API, as what, and what the others are told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from leadagent.tenants.models import ApiToken, Membership, Organization, Role
from tests.factories import MembershipFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tenants.api_urls")]

THINGS = "/test-api/things"
SignIn = Callable[[Membership], Client]


def bearer(organization: Organization, *scopes: str) -> dict[str, str]:
    text = ApiToken.issue(organization, name="Form", scopes=list(scopes), created_by=None)[1]
    return {"Authorization": f"Bearer {text}"}


def error(response: Any) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) <= {"code", "message", "field", "reference"}
    assert body["error"]["reference"] == response.headers["X-Request-ID"]
    return response.status_code, body["error"]["code"]


def add(client: Client, data: Any, **headers: str) -> Any:
    return client.post(THINGS, data, content_type="application/json", headers=headers)


# --- Tokens -------------------------------------------------------------------------


def test_a_token_names_its_organisation(client: Client, organization: Organization) -> None:
    response = client.get(THINGS, headers=bearer(organization, "usage:read"))
    assert (response.status_code, response.json()) == (200, {"organization": "acme", "by": "Form"})


def test_a_token_cannot_name_another(client: Client, organization: Organization, outsider: Membership) -> None:
    headers = bearer(organization, "usage:read") | {"X-Organization": "globex"}
    assert client.get(THINGS, headers=headers).json()["organization"] == "acme"


def test_a_token_writes_without_csrf(organization: Organization) -> None:
    client = Client(enforce_csrf_checks=True)
    response = add(client, {"name": "One"}, **bearer(organization, "leads:write"))
    assert (response.status_code, response.json()["by"]) == (201, "One")


def test_a_token_without_the_scope_is_refused(client: Client, organization: Organization) -> None:
    response = client.get(THINGS, headers=bearer(organization, "leads:write", "config:write"))
    assert error(response) == (403, "missing_scope")
    assert "usage:read" in response.json()["error"]["message"]


@pytest.mark.parametrize("value", ["Bearer lat_wrong", "Bearer ", "bearer x", "Bearer x y"])
def test_a_wrong_token_is_401_even_beside_a_session(value: str, admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).get(THINGS, headers={"Authorization": value})
    assert error(response) == (401, "invalid_token")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_is_401(client: Client, organization: Organization) -> None:
    headers = bearer(organization, "usage:read")
    ApiToken.objects.update(revoked_at=timezone.now())
    assert error(client.get(THINGS, headers=headers)) == (401, "invalid_token")


def test_a_token_beside_a_cookie_lends_no_person(admin: Membership, outsider: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).get(THINGS, headers=bearer(outsider.organization, "usage:read"))
    assert response.json() == {"organization": "globex", "by": "Form"}
    assert response.wsgi_request.user.is_anonymous


def test_the_last_use_is_noted_at_most_once_a_minute(client: Client, organization: Organization) -> None:
    headers = bearer(organization, "usage:read")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client.get(THINGS, headers=headers)
        first = ApiToken.objects.get().last_used_at
        assert first == timezone.now()
        clock.shift(timedelta(seconds=59))
        client.get(THINGS, headers=headers)
        assert ApiToken.objects.get().last_used_at == first
        clock.shift(timedelta(seconds=2))
        client.get(THINGS, headers=headers)
        assert ApiToken.objects.get().last_used_at == timezone.now()


# --- Sessions -----------------------------------------------------------------------


def test_a_member_of_one_organisation_need_not_name_it(viewer: Membership, signed_in: SignIn) -> None:
    assert signed_in(viewer).get(THINGS).json() == {"organization": "acme", "by": "viewer@acme.test"}


def test_a_member_of_several_must_name_it(viewer: Membership, signed_in: SignIn) -> None:
    MembershipFactory(user=viewer.user, organization__slug="globex")
    client = signed_in(viewer)
    assert error(client.get(THINGS)) == (400, "organization_required")
    assert client.get(THINGS, headers={"X-Organization": "globex"}).json()["organization"] == "globex"


def test_an_outsider_gets_the_same_as_for_nothing(viewer: Membership, outsider: Membership, signed_in: SignIn) -> None:
    client = signed_in(outsider)
    existing, missing = (
        client.get(THINGS, headers={"X-Organization": slug, "X-Request-ID": "the-same-for-both"})
        for slug in ("acme", "no-such")
    )
    assert error(existing) == (404, "not_found")
    assert existing.content == missing.content


def test_a_role_too_low_is_403(viewer: Membership, member: Membership, signed_in: SignIn) -> None:
    assert error(add(signed_in(viewer), {"name": "One"})) == (403, "role_too_low")
    assert add(signed_in(member), {"name": "One"}).status_code == 201


def test_a_removed_member_is_out_at_once(viewer: Membership, signed_in: SignIn) -> None:
    client = signed_in(viewer)
    assert client.get(THINGS).status_code == 200
    viewer.delete()
    assert error(client.get(THINGS)) == (403, "no_organization")
    assert error(client.get(THINGS, headers={"X-Organization": "acme"})) == (404, "not_found")


def test_a_session_writes_with_the_csrf_token_only(member: Membership) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)
    assert error(add(client, {"name": "One"})) == (403, "csrf_failed")
    client.get("/accounts/password/change/")
    token = client.cookies["csrftoken"].value
    assert add(client, {"name": "One"}, **{"X-CSRFToken": token}).status_code == 201


def test_nobody_is_401(client: Client, organization: Organization) -> None:
    for response in (client.get(THINGS), add(Client(enforce_csrf_checks=True), {"name": "One"})):
        assert error(response) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_person_without_organisation_is_told_so(client: Client) -> None:
    client.force_login(UserFactory())
    assert error(client.get(THINGS)) == (403, "no_organization")


def test_who_calls_costs_one_query_for_a_token(
    client: Client, organization: Organization, django_assert_num_queries: Any
) -> None:
    headers = bearer(organization, "usage:read")
    client.get(THINGS, headers=headers)
    with django_assert_num_queries(1):
        client.get(THINGS, headers=headers)


# --- Errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "name"),
        ({"name": "x"}, "name"),
        ({"name": "One", "kind": "c"}, "kind"),
        ({"name": "One", "addresses": [{}]}, "addresses.0.street"),
    ],
)
def test_an_invalid_body_names_the_field(member: Membership, signed_in: SignIn, data: Any, field: str) -> None:
    response = add(signed_in(member), data)
    assert error(response) == (422, "invalid")
    body = response.json()["error"]
    assert body["field"] == field
    assert body["message"].startswith(f"{field}: ")


def test_an_invalid_query_names_the_parameter(viewer: Membership, signed_in: SignIn) -> None:
    response = signed_in(viewer).get(f"{THINGS}?limit=many")
    assert error(response) == (422, "invalid")
    assert response.json()["error"]["field"] == "limit"


def test_a_body_that_is_no_json_is_400(member: Membership, signed_in: SignIn) -> None:
    assert error(add(signed_in(member), "{not json")) == (400, "bad_request")


def test_our_own_errors_pass_through(client: Client) -> None:
    response = client.get("/test-api/raise/ours")
    assert response.status_code == 409
    expected = {"code": "stale", "message": "Someone saved before you.", "field": "version"}
    told = response.json()["error"]
    assert told == expected | {"reference": response.headers["X-Request-ID"]}


def test_a_missing_thing_says_no_more_than_that(client: Client) -> None:
    response = client.get("/test-api/raise/missing")
    assert error(response) == (404, "not_found")
    assert b"secret detail" not in response.content


def test_permission_denied_is_403(client: Client) -> None:
    assert error(client.get("/test-api/raise/denied")) == (403, "forbidden")


@pytest.mark.parametrize("debug", [False, True])
def test_a_crash_is_logged_and_shows_nothing(debug: bool, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = debug
    response = Client(raise_request_exception=False).get("/test-api/raise/crash")
    assert error(response) == (500, "internal_error")
    assert b"secret" not in response.content
    assert b"Traceback" not in response.content
    assert "API call failed: GET test-api:raise_it" in caplog.text


def test_a_crash_reaches_the_test_that_caused_it(client: Client) -> None:
    with pytest.raises(RuntimeError):
        client.get("/test-api/raise/crash")


def test_a_wrong_method_is_405_in_our_shape(admin: Membership, signed_in: SignIn) -> None:
    response = signed_in(admin).delete(THINGS)
    assert error(response) == (405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST"}


def test_an_unknown_address_is_404_in_our_shape(client: Client) -> None:
    assert error(client.get("/api/no/such/call")) == (404, "not_found")


def test_roles_rank_as_on_pages(organization: Organization, signed_in: SignIn) -> None:
    for role in (Role.MEMBER, Role.ADMIN):
        membership = MembershipFactory(organization=organization, role=role)
        assert add(signed_in(membership), {"name": "One"}).status_code == 201
