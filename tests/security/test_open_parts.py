"""The parts of the product whose guard is not `organization_view`: each of their addresses, by everybody who may not.

A new address of Django admin, of allauth's or of the API fails here until it keeps out whom it must, or is listed.
"""

import re
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from leadagent.api import api
from leadagent.tenants.models import Organization, Role
from tests.factories import MembershipFactory
from tests.routes import ROUTES, Route

pytestmark = pytest.mark.django_db

ADMIN = [route for route in ROUTES if route.path.startswith("admin/")]
ACCOUNTS = [route for route in ROUTES if route.path.startswith("accounts/")]
# Ways in and out, which are the same as the product's own.
ADMINS_DOOR = {"admin:login", "admin:logout"}
# What people without a session need to get one, to find out that they cannot have one, or to end none.
FOR_ANYBODY = {
    "account_login", "account_logout", "account_signup", "account_inactive", "account_reset_password",
    "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    "account_email_verification_sent", "account_confirm_email",
}  # fmt: skip
API = {"openapi-json": "the description", "openapi-view": "the description, as a page", "api-root": "no answer at all"}


def address(route: Route) -> str:
    """An address of the route; which row it names does not matter to who is not let in."""
    where = "/" + re.sub(r"<uuid:\w+>", str(UUID(int=1)), re.sub(r"<(path|int|str|slug):\w+>", "1", route.path))
    if "(?P<" in where:
        where = re.sub(r"\(\?P<app_label>.*?\)", "byok", where)
        where = re.sub(r"\(\?P<\w+>(\[[^\]]*\]|\.)[+*]\)", "1", where).replace("^", "").replace("$", "")
    assert not set("<>()[]?*+^$") & set(where), f"{route.path}: say here how such an address is made"
    return where


def ask(client: Client, where: str) -> dict[str, tuple[int, str]]:
    answers = {"get": client.get(where), "post": client.post(where)}
    return {method: (answer.status_code, answer.headers.get("Location", "")) for method, answer in answers.items()}


@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ADMIN])
def test_nobody_but_support_staff_is_in_the_admin(route: Route, organization: Organization) -> None:
    if route.name in ADMINS_DOOR:
        return
    where = address(route)
    for method, (status, location) in ask(Client(), where).items():
        assert status == 302, method
        assert location.startswith((reverse("account_login"), reverse("admin:login"))), method
    for role in Role:
        client = Client()
        client.force_login(MembershipFactory(organization=organization, role=role).user)
        for method, (status, location) in ask(client, where).items():
            assert status in {302, 403}, (role, method)
            assert status == 403 or location.startswith(reverse("admin:login")), (role, method)


def test_the_admins_own_door_lets_no_member_in(organization: Organization) -> None:
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    for status, location in ask(client, reverse("admin:login")).values():
        assert status in {302, 403}
        assert not location.startswith("/admin/")


@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ACCOUNTS])
def test_an_account_is_its_owners(route: Route) -> None:
    if route.name in FOR_ANYBODY:
        return
    for method, (status, location) in ask(Client(), address(route)).items():
        assert status == 302, method
        assert location.startswith(reverse("account_login")), method


def test_the_lists_name_nothing_that_is_gone() -> None:
    assert FOR_ANYBODY - {route.name for route in ACCOUNTS} == set()
    assert ADMINS_DOOR - {route.name for route in ADMIN} == set()
    assert len(ADMIN) > 100


def test_every_address_of_the_api_is_a_described_call_or_listed() -> None:
    calls = {path.strip("/").replace("{lead_id}", "<uuidstr:lead_id>") for path in api.get_openapi_schema()["paths"]}
    mounted = {route.path for route in ROUTES if route.path.startswith("api/") and route.name}
    others = {reverse(f"api:{name}").strip("/") for name in API}
    assert {path.strip("/") for path in mounted} - others == calls
