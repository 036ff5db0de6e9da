"""No address changes anything for a request that another site could have made."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.routes import ROUTES, Route
from tests.tenants.route_kwargs import ROUTE_KWARGS

pytestmark = pytest.mark.django_db

# allauth's own pages below accounts/ are tried by name, as far as a signed-in or signed-out person reaches them.
_ACCOUNT_PAGES = (
    "account_login",
    "account_signup",
    "account_logout",
    "account_reset_password",
    "account_change_password",
    "account_email",
    "account_reauthenticate",
    "mfa_activate_totp",
)
PAGES = [
    route
    for route in ROUTES
    if route.path.split("/")[0] not in {"admin", "accounts", "api", "sandbox", "healthz", "readyz"}
]


def address(route: Route, organization: Organization) -> str:
    kwargs: dict[str, Any] = {"org": organization.slug} if "org" in route.in_address else {}
    if set(route.in_address) - {"org"}:
        kwargs |= ROUTE_KWARGS[route.name](organization) if route.name in ROUTE_KWARGS else OPEN_KWARGS[route.name]
    return reverse(route.name, kwargs=kwargs)


OPEN_KWARGS: dict[str, dict[str, Any]] = {
    "tenants:invitation": {"token": "no-such-token"},
    "tenants:invitation_accept": {"invitation_id": 1},
}


@pytest.fixture
def forged(admin: Membership) -> Client:
    """An admin's browser that another site makes post: its cookies come along, the token does not."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin.user)
    return client


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in PAGES])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["form", "htmx"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_forged_request_is_refused(
    route: Route, headers: dict[str, str], method: str, forged: Client, organization: Organization
) -> None:
    where = address(route, organization)
    answer = getattr(forged, method)(where, headers=headers)
    assert answer.status_code in {403, 404, 405}, f"{method} {where} was answered with {answer.status_code}"
    if method == "post" and route.needed is not None:
        assert answer.status_code == 403, "the token is looked at before anything else"


@pytest.mark.parametrize("name", _ACCOUNT_PAGES)
def test_so_is_one_at_the_account_pages(name: str, forged: Client) -> None:
    assert forged.post(reverse(name)).status_code == 403


@pytest.mark.parametrize("method", ["post", "put"])
def test_so_is_one_at_the_api(method: str, forged: Client) -> None:
    for where in ("/api/ai-config", "/api/leads"):
        answer = getattr(forged, method)(where, {}, content_type="application/json")
        assert answer.status_code in {403, 405}, where


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in PAGES if route.needed is not None])
def test_looking_changes_nothing(route: Route, organization: Organization) -> None:
    """GET and HEAD of every page, twice: no row of the tenant's is made, changed or gone but traces of the look."""
    where = address(route, organization)
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    client.get(where)
    before = _rows(organization)
    client.get(where)
    client.head(where)
    assert _rows(organization) == before


# Traces that a look leaves: who was where, and how often.
_TRACES = {"AuditEvent", "AuditChain", "Session"}


def _rows(organization: Organization) -> dict[str, list[Any]]:
    from django.apps import apps

    return {
        model.__name__: sorted(model._default_manager.values_list(), key=str)
        for model in apps.get_models()
        if model.__name__ not in _TRACES and model._meta.app_label in {"tenants", "byok", "usage", "leads"}
    }
