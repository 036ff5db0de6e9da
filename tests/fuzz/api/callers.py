"""Everybody who may call the JSON API: each role and scope at home, strangers, and the other tenant."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.test import Client

from leadagent.tenants.models import ApiToken, Organization, Role, Scope, User
from tests.factories import MembershipFactory, UserFactory
from tests.security.hostile_tenant import HostileTenant

# Stands in every row of the one tenant, and of the other.
NEAR, FAR = "qx7-text-of-the-near-tenant", "qx7-text-of-the-far-tenant"
_CSRF = "c" * 32


@dataclass(frozen=True)
class Caller:
    """`may_not_see`: the text that stands in every row of the tenant that is not the caller's."""

    name: str
    may_not_see: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


def callers(near: HostileTenant, far: HostileTenant) -> Iterator[Caller]:
    """All of them; the first may do everything that a token may."""
    home = near.organization
    yield _token("token, every scope", home, list(Scope), may_not_see=FAR)
    for role in Role:
        person = MembershipFactory(organization=home, role=role).user
        yield _session(f"session, {role}", person, home.slug, may_not_see=FAR)
    for scope in Scope:
        yield _token(f"token, {scope}", home, [scope], may_not_see=FAR)
    yield _token("other tenant's token", far.organization, list(Scope), may_not_see=NEAR)
    yield _session("outsider's session", far.admin, home.slug, may_not_see=NEAR)
    both = UserFactory()
    for organization in (home, far.organization):
        MembershipFactory(organization=organization, user=both, role=Role.ADMIN)
    yield _session("session in two, naming one", both, home.slug, may_not_see=FAR)
    yield _session("session in two, naming none", both, "", may_not_see=FAR)
    yield Caller("signed out", NEAR)
    yield Caller("unknown token", NEAR, {"Authorization": "Bearer lat_unknown"})


def _token(name: str, organization: Organization, scopes: list[Scope], *, may_not_see: str) -> Caller:
    _, text = ApiToken.issue(organization, name="Fuzz", scopes=[str(scope) for scope in scopes], created_by=None)
    return Caller(name, may_not_see, {"Authorization": f"Bearer {text}"})


def _session(name: str, person: User, slug: str, *, may_not_see: str) -> Caller:
    client = Client()
    client.force_login(person)
    headers = {"X-CSRFToken": _CSRF} | ({"X-Organization": slug} if slug else {})
    cookies = {
        settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value,
        settings.CSRF_COOKIE_NAME: _CSRF,
    }
    return Caller(name, may_not_see, headers, cookies)
