"""Every address of the product is guarded, or stands on a list that says why not.

A new page fails here until it wears `organization_view`, or its name is added to `OPEN`.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.routes import ROUTES, Route
from tests.tenants.route_kwargs import IN_ONE_SESSION, NAMES_NO_ROW, ROUTE_KWARGS

# Whole parts of the product with a guard of their own.
OPEN_PARTS = {
    "admin": "Django admin: staff only, see test_admin.py",
    "accounts": "allauth: sign-up, sign-in, one's own account",
    "api": "the JSON API: see test_every_api_call_asks_who_calls",
    "sandbox": "the stand-in for AI providers; not mounted in production",
}
OPEN_NAMES = {
    "healthz": "liveness",
    "readyz": "readiness",
    "metrics": "whoever brings METRICS_TOKEN, see tests/usage/test_backlog.py",
    "home": "front page; signed in it leads on",
    "tenants:create": "any signed-in person",
    "tenants:organizations": "any signed-in person, their own only",
    "tenants:invitation": "whoever has the link; accepting asks for the address",
    "tenants:invitation_accept": "any signed-in person, invitations of their addresses only",
    "leads:intake": "the public form",
    "leads:intake_thanks": "what it answers",
}


GUARDED = [route for route in ROUTES if route.needed is not None]


def test_every_address_is_guarded_or_open_for_a_reason() -> None:
    unguarded = [
        route
        for route in ROUTES
        if route.needed is None and route.name not in OPEN_NAMES and route.path.split("/")[0] not in OPEN_PARTS
    ]
    assert unguarded == []


def test_every_address_of_an_organisation_is_guarded() -> None:
    """No list opens these."""
    assert [route for route in ROUTES if route.path.startswith("o/") and route.needed is None] == []
    assert [route for route in GUARDED if not route.path.startswith("o/<slug:org>/")] == []


def test_the_lists_name_nothing_that_is_gone() -> None:
    names = {route.name for route in ROUTES}
    parts = {route.path.split("/")[0] for route in ROUTES}
    assert OPEN_NAMES.keys() - names == set()
    assert OPEN_PARTS.keys() - parts == set()
    assert ROUTE_KWARGS.keys() - names == set()
    assert (NAMES_NO_ROW.keys() | IN_ONE_SESSION.keys()) - ROUTE_KWARGS.keys() == set()


def test_every_api_call_asks_who_calls() -> None:
    from leadagent.api import api

    calls = [
        (call["operationId"], call.get("security"))
        for methods in api.get_openapi_schema()["paths"].values()
        for call in methods.values()
    ]
    assert calls
    for name, security in calls:
        assert [list(way) for way in security or []] == [["BearerToken"], ["SessionMember"]], name


@pytest.fixture
def address(organization: Organization) -> Callable[[Route], str]:
    """The address of a route in Acme, naming rows that are there."""

    def make(route: Route) -> str:
        kwargs: dict[str, Any] = {"org": organization.slug}
        if set(route.in_address) - {"org"}:
            assert route.name in ROUTE_KWARGS, f"{route.name} names a row: add it to tests/tenants/route_kwargs.py"
            kwargs |= ROUTE_KWARGS[route.name](organization)
        return reverse(route.name, kwargs=kwargs)

    return make


guarded = pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in GUARDED])


@guarded
def test_outsiders_find_nothing(route: Route, address: Callable[[Route], str], outsider: Membership) -> None:
    client = Client()
    client.force_login(outsider.user)
    where = address(route)
    assert client.get(where).status_code == 404
    assert client.post(where).status_code == 404


@guarded
def test_signed_out_people_are_asked_to_sign_in(route: Route, address: Callable[[Route], str]) -> None:
    where = address(route)
    for response in (Client().get(where), Client().post(where)):
        assert response.status_code == 302
        assert response.headers["Location"] == f"{reverse('account_login')}?next={where}"


@guarded
def test_the_role_decides(route: Route, address: Callable[[Route], str], organization: Organization) -> None:
    assert route.needed is not None
    where = address(route)
    for role in Role:
        client = Client()
        client.force_login(MembershipFactory(organization=organization, role=role).user)
        if role.allows(route.needed):
            found = {404} if route.name in IN_ONE_SESSION else {200, 302, 405}
            assert client.get(where).status_code in found, role
        else:
            assert client.get(where).status_code == 403, role
            assert client.post(where).status_code == 403, role


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(route, id=route.name)
        for route in GUARDED
        if set(route.in_address) - {"org"} and route.name not in NAMES_NO_ROW
    ],
)
def test_rows_of_another_organisation_are_not_there(route: Route, admin: Membership, outsider: Membership) -> None:
    """An admin of Acme, under Acme's address, with the number of a row that is Globex's."""
    assert route.name in ROUTE_KWARGS, f"{route.name} names a row: add it to tests/tenants/route_kwargs.py"
    kwargs = ROUTE_KWARGS[route.name](outsider.organization)
    where = reverse(route.name, kwargs={"org": admin.organization.slug, **kwargs})
    client = Client()
    client.force_login(admin.user)
    looked, acted = client.get(where).status_code, client.post(where).status_code
    assert 404 in {looked, acted}
    assert looked in {404, 405, 302}, "an act may send a GET back to its page"
    assert acted in {404, 405}
