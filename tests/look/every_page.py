"""Every page of the product: where it is, who opens it, and which routes are none and why.

`places()` goes through all routes but those on the lists here. What it yields is a page or is only
posted to; `test_every_page.py` fails on anything else, so a new page is held to the rules from its first day.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from leadagent.tenants.invitations import invite
from leadagent.tenants.models import Invitation, Membership, Role, User, hash_token
from tests.factories import MembershipFactory, OrganizationFactory, UserFactory
from tests.routes import ROUTES, Route
from tests.security.hostile_tenant import HostileTenant, make_hostile

# Long as people's texts are: a double name, an address without a place to break, a sentence. 200 characters at most.
WORDS = (
    "Wilhelmina van der Steenhoven-Achterberg",
    "https://wholesale.steenhoven-achterberg.example/prices?year=2026",
    "We would like to buy 40 seats for our sales team. What does training cost?",
)


class Who(StrEnum):
    """Whose window it is."""

    ADMIN = "admin"  # of an organisation with rows of every sort
    VIEWER = "viewer"  # of the same
    NEWCOMER = "newcomer"  # admin of an organisation in which nothing has happened; two factors are on
    NOBODY = "nobody"  # signed out
    SUPPORT = "support"  # staff


@dataclass(frozen=True)
class Place:
    """An address as one sort of person opens it, and the status that the page answers with."""

    who: Who
    path: str
    status: int = HTTPStatus.OK

    def __str__(self) -> str:
        return f"{self.path} ({self.who})"


@dataclass
class World:
    """The rows and the people."""

    tenant: HostileTenant
    people: dict[Who, User | None]
    newcomers_place: Membership
    clients: dict[Who, Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for who, user in self.people.items():
            self.clients[who] = Client()
            if user is not None:
                self.clients[who].force_login(user)
                _signed_in_just_now(self.clients[who], user)


def make_world() -> World:
    tenant = make_hostile(0, WORDS)
    tenant.organization.name = "Steenhoven-Achterberg Logistics and Daughters"
    tenant.organization.save(update_fields=["name"])
    newcomer = MembershipFactory(organization__name="Tailspin", role=Role.ADMIN)
    MembershipFactory(organization=OrganizationFactory(name="Globex"), user=newcomer.user)
    TOTP.activate(newcomer.user, generate_totp_secret())
    RecoveryCodes.activate(newcomer.user)
    invitation = invite(tenant.organization, email=newcomer.user.email, role=Role.MEMBER, invited_by=tenant.admin)
    Invitation.objects.filter(pk=invitation.pk).update(token_hash=hash_token("a-token"))
    viewer = MembershipFactory(organization=tenant.organization, role=Role.VIEWER)
    people = {
        Who.ADMIN: tenant.admin,
        Who.VIEWER: viewer.user,
        Who.NEWCOMER: newcomer.user,
        Who.NOBODY: None,
        Who.SUPPORT: UserFactory(is_staff=True, is_superuser=True),
    }
    return World(tenant, people, newcomer)


def _signed_in_just_now(client: Client, user: User) -> None:
    """As the sign-in form notes it: pages that ask for a recent one open."""
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, method="password", reauthenticated=True)
    request.session.save()


# Routes that answer a GET, and with something else than a page.
NO_PAGE = {
    "healthz": "a line of text",
    "readyz": "JSON",
    "metrics": "figures for a machine",
    "tenants:organization": "leads on",
    "tenants:invitation_accept": "leads on",
    "tenants:member_role": "leads back",
    "tenants:invitation_resend": "leads back",
    "tenants:invitation_withdraw": "leads back",
    "tenants:audit_export": "a file",
    "byok:catalog_select": "leads back without a model: see MORE",
    "byok:model_options": "a part of a page",
    "byok:price_add": "leads back",
    "byok:connect_start": "leads to the provider",
    "leads:import_rejected": "a file",
    "leads:bulk": "leads back without ticked leads: see MORE",
    "usage:export": "a file",
    "usage:export_file": "a file",
    "account_set_password": "leads to the change: everybody has a password",
    "account_confirm_login_code": "codes by email are not used",
    "mfa_download_recovery_codes": "a file",
    "mfa_reauthenticate": "leads to the page of the address below",
    "admin:jsi18n": "a script",
    "admin:autocomplete": "JSON",
    "admin:view_on_site": "leads on",
    "adoption:csv": "a file",
    "admin:login": "leads to our own sign-in",
}
# Pages in the middle of something, which no address alone leads to.
WALKED = {
    "byok:connect_callback": "tests/browser/test_onboarding.py::test_connecting_by_one_click",
    "mfa_authenticate": "tests/look/test_account_pages.py::test_two_factors",
}
# What one more query on an address shows: narrowed, empty and wrong, with the status of the answer.
MORE: list[tuple[Who, str, str, int]] = [
    (Who.ADMIN, "leads:list", "?q=nothing-has-this-name", 200),
    (Who.ADMIN, "leads:list", "?status=review&sort=oldest", 200),
    (Who.ADMIN, "byok:settings", "?provider=openai", 200),
    (Who.ADMIN, "byok:settings", "?provider=anthropic", 200),
    (Who.ADMIN, "byok:settings", "?provider=platform_default", 200),
    (Who.ADMIN, "byok:catalog", "?q=nothing-has-this-name", 200),
    (Who.ADMIN, "byok:catalog", "?kind=embedding", 200),
    (Who.ADMIN, "byok:catalog_compare", "?m=openrouter:openai/gpt-4o&m=openrouter:anthropic/claude-haiku-4.5", 200),
    (Who.ADMIN, "byok:catalog_select", "?m=openrouter:openai/gpt-4o", 200),
    (Who.ADMIN, "usage:dashboard", "?period=90-days", 200),
    (Who.ADMIN, "usage:dashboard", "?period=custom&start=2026-03-01&end=2026-03-02", 200),
    (Who.ADMIN, "usage:calls", "?status=failed", 200),
    (Who.ADMIN, "tenants:audit", "?since=2020-01-01&until=2020-01-02", 200),
    (Who.ADMIN, "usage:dashboard", "?period=custom&start=2026-03-02&end=2026-03-01", 422),
    (Who.ADMIN, "byok:catalog", "?max_price=cheap", 422),
    (Who.ADMIN, "tenants:audit", "?since=2026-03-02&until=2026-03-01", 422),
    (Who.VIEWER, "tenants:members", "", 403),
]


_ADMIN_LISTS = {
    f"{model._meta.app_label}_{model._meta.model_name}_{view}"
    for model in admin.site._registry
    for view in ("changelist", "add")
}
_ADMIN_ROWS = {
    f"{model._meta.app_label}_{model._meta.model_name}_{view}": model
    for model in admin.site._registry
    for view in ("change", "history", "delete")
}
_ADMIN_POSTS = {"logout", "usage_deadletter_retry", "byok_providercredential_recheck"}


def places(world: World) -> Iterator[Place]:
    """Every page, of everybody who sees it differently."""
    for route in ROUTES:
        if route.name in NO_PAGE or route.name in WALKED:
            continue
        part = route.path.split("/")[0]
        if part in {"api", "sandbox"}:
            continue  # JSON, and the pages below.
        if part == "admin":
            yield from _support_pages(world, route)
        elif part == "accounts":
            yield from _account_pages(world, route)
        else:
            yield from _product_pages(world, route)
    for who, name, query, status in MORE:
        yield Place(who, reverse(name, args=[world.tenant.organization.slug]) + query, status)
    stopped = reverse("leads:detail", args=[world.tenant.organization.slug, world.tenant.ids["stopped_lead_id"]])
    yield Place(Who.ADMIN, stopped)
    yield Place(Who.NOBODY, reverse("api:openapi-view"))
    asked = {"callback_url": "http://127.0.0.1/", "code_challenge": "x", "code_challenge_method": "S256"}
    yield Place(Who.NOBODY, f"/sandbox/openrouter/auth?{urlencode(asked)}")
    yield Place(Who.NOBODY, "/no-such-page/", 404)
    yield Place(Who.ADMIN, "/o/no-such-organisation/leads/", 404)
    for name in ("400", "403_csrf", "429", "500"):
        yield Place(Who.NOBODY, reverse("look_error", args=[name], urlconf="tests.look.urls"), int(name[:3]))


def _product_pages(world: World, route: Route) -> Iterator[Place]:
    slug = world.tenant.organization.slug
    if not route.in_address:
        people = [Who.NOBODY] if route.name == "home" else [Who.NEWCOMER]
    elif route.needed is None:
        people = [Who.NOBODY]
    else:
        people = [Who.ADMIN]
        if route.needed == Role.VIEWER:
            people.append(Who.VIEWER)
        if set(route.in_address) == {"org"}:
            people.append(Who.NEWCOMER)
    for who in people:
        known = {"org": slug, "token": "a-token"} | world.tenant.ids
        if who is Who.NEWCOMER:
            known["org"] = world.newcomers_place.organization.slug
        missing = set(route.in_address) - set(known)
        assert not missing, f"{route.name} names {missing}: make such a row in tests/security/hostile_tenant.py"
        yield Place(who, reverse(route.name, kwargs={name: known[name] for name in route.in_address}))


def _account_pages(world: World, route: Route) -> Iterator[Place]:
    person = world.people[Who.NEWCOMER]
    assert person is not None
    addresses: dict[str, dict[str, Any]] = {
        "account_confirm_email": {"key": EmailConfirmationHMAC(EmailAddress.objects.get(user=person)).key},
        "account_reset_password_from_key": {"uidb36": user_pk_to_url_str(person), "key": "a-wrong-one"},
    }
    signed_out = {
        "account_login", "account_signup", "account_inactive", "account_reset_password", "account_reset_password_done",
        "account_reset_password_from_key", "account_reset_password_from_key_done", "account_confirm_email",
        "account_email_verification_sent",
    }  # fmt: skip
    who = Who.NOBODY if route.name in signed_out else Who.NEWCOMER
    if route.name == "mfa_activate_totp":
        who = Who.ADMIN
    yield Place(who, reverse(route.name, kwargs=addresses.get(route.name, {})))


def _support_pages(world: World, route: Route) -> Iterator[Place]:
    """Lists and forms of Django admin, each with the first row there is, and our own page of figures."""
    name = route.name.removeprefix("admin:")
    if route.name in {"admin:index", "admin:password_change", "admin:password_change_done", "adoption:page"}:
        yield Place(Who.SUPPORT, reverse(route.name))
    elif name == "app_list":
        for label in sorted({model._meta.app_label for model in admin.site._registry}):
            yield Place(Who.SUPPORT, reverse(route.name, args=[label]))
    elif name in _ADMIN_LISTS:
        yield Place(Who.SUPPORT, reverse(route.name))
    elif model := _ADMIN_ROWS.get(name):
        row = model._default_manager.first()
        assert row is not None, f"{model.__name__} has no row: make one in tests/security/hostile_tenant.py"
        yield Place(Who.SUPPORT, reverse(route.name, args=[quote(row.pk)]))
    else:
        # Old addresses that lead on, and the one that catches the rest, have no name.
        assert not name or name in _ADMIN_POSTS, f"{route.name}: where among the pages is it?"
