"""Every call of the JSON API, by everybody who might try: only the right scope or role gets in, and only at home."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from leadagent.api import api
from leadagent.leads.inbox.intake import take_in
from leadagent.leads.models import LeadSource
from leadagent.tenants.models import ApiToken, Membership, Organization, Role, Scope
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    scope: str
    role: str


def _calls() -> Iterator[Call]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, call in methods.items():
            [[scope], [role]] = [next(iter(way.values())) for way in call["security"]]
            yield Call(method, path, scope, role)


CALLS = list(_calls())
calls = pytest.mark.parametrize("call", [pytest.param(call, id=f"{call.method} {call.path}") for call in CALLS])
# Let in: whatever the call then says about its (empty) body, or about a row that is not there.
LET_IN = {200, 201, 400, 404, 409, 415, 422}


def address(call: Call, organization: Organization) -> str:
    where = call.path
    if "{lead_id}" in where:
        where = where.replace("{lead_id}", str(_lead(organization)))
    assert "{" not in where, f"{call.path} names a row: make one here"
    return where


def _lead(organization: Organization) -> UUID:
    fields = {"name": "Jo Bloggs", "email": "jo@example.test", "company": "", "phone": "", "message": "Hello"}
    lead, _ = take_in(organization, fields, source=LeadSource.PAGE)
    return lead.pk


def send(client: Client, call: Call, where: str, **headers: str) -> int:
    answer: Any = client.generic(call.method.upper(), where, "{}", content_type="application/json", headers=headers)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}
    return int(answer.status_code)


def token(organization: Organization, *scopes: str) -> str:
    return "Bearer " + ApiToken.issue(organization, name="Matrix", scopes=list(scopes), created_by=None)[1]


@calls
def test_nobody_gets_in_without_saying_who(call: Call, organization: Organization) -> None:
    where = address(call, organization)
    assert send(Client(), call, where) == 401
    for nonsense in ("Bearer", "Bearer ", "Bearer lat_nothing", "Basic YTpi", "lat_nothing", "Bearer \u00e9"):
        assert send(Client(), call, where, Authorization=nonsense) == 401


@calls
def test_the_scope_decides(call: Call, organization: Organization) -> None:
    where = address(call, organization)
    for scope in Scope:
        status = send(Client(), call, where, Authorization=token(organization, scope))
        if scope.includes(Scope(call.scope)):
            assert status in LET_IN - {404}, scope
        else:
            assert status == 403, scope
    assert send(Client(), call, where, Authorization=token(organization)) == 403


@calls
def test_the_role_decides(call: Call, organization: Organization) -> None:
    where = address(call, organization)
    for role in Role:
        client = Client()
        client.force_login(MembershipFactory(organization=organization, role=role).user)
        status = send(client, call, where, **{"X-Organization": organization.slug})
        assert status in (LET_IN - {404} if role.allows(Role(call.role)) else {403}), role


@calls
def test_outsiders_find_nothing(call: Call, organization: Organization, outsider: Membership) -> None:
    """By session: another organisation's name is as unknown as none. By token: its own organisation, whatever is named."""
    where = address(call, organization)
    client = Client()
    client.force_login(outsider.user)
    assert send(client, call, where, **{"X-Organization": organization.slug}) == 404
    assert send(client, call, where, **{"X-Organization": "no-such-place"}) == 404
    foreign = token(outsider.organization, call.scope)
    status = send(Client(), call, where, Authorization=foreign, **{"X-Organization": organization.slug})
    assert status == 404 if "{" in call.path else status in LET_IN


@calls
def test_a_token_beside_a_session_lends_nothing(call: Call, organization: Organization, admin: Membership) -> None:
    """An admin's cookie does not help a token that may not, and a wrong token is not saved by the cookie."""
    where = address(call, organization)
    client = Client()
    client.force_login(admin.user)
    assert send(client, call, where, Authorization="Bearer lat_wrong") == 401
    others = [scope.value for scope in Scope if not scope.includes(Scope(call.scope))]
    assert send(client, call, where, Authorization=token(organization, *others)) == 403


def test_there_are_calls() -> None:
    assert {call.path for call in CALLS} >= {"/api/ai-config", "/api/ai-models", "/api/leads", "/api/leads/{lead_id}"}
    assert {call.method for call in CALLS if call.path == "/api/leads/{lead_id}"} == {"get", "patch"}
