"""All pages of a furnished organisation, and the forms in them, as its admin and as a stranger finds them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import reverse

from tests.fuzz.pages.markup import Form, forms_in, parsed
from tests.security.hostile_tenant import HostileTenant, make_hostile, tenant_addresses

_OWN_ACCOUNT = ("account_change_password", "account_email", "mfa_index", "mfa_activate_totp", "tenants:create")
_SIGNED_OUT = ("account_login", "account_signup", "account_reset_password")


@dataclass(frozen=True)
class Place:
    """A form, and who fills it in."""

    form: Form
    client: Client


def furnished(number: int = 1) -> HostileTenant:
    """An organisation of everything there is; its texts are plain words."""
    return make_hostile(number, ["Plain words"])


def signed_in(tenant: HostileTenant) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(tenant.admin)
    return client


def addresses(tenant: HostileTenant) -> list[str]:
    """Every page for the organisation's admin."""
    slug = tenant.organization.slug
    own = [where for where in tenant_addresses(tenant) if not where.startswith("/admin/")]
    wizard = [reverse("byok:onboarding_key", args=[slug, "openai"])]
    return list(dict.fromkeys([*own, *wizard, *(reverse(name) for name in _OWN_ACCOUNT), "/"]))


def places(tenant: HostileTenant) -> Iterator[Place]:
    """Each form once, by its address and its fields."""
    seen: set[Any] = set()
    stranger = Client(raise_request_exception=False)
    pages = [(signed_in(tenant), where) for where in addresses(tenant)]
    pages += [(stranger, reverse(name)) for name in _SIGNED_OUT]
    pages.append((stranger, reverse("leads:intake", args=[tenant.organization.slug])))
    for client, where in pages:
        answer = client.get(where)
        if answer.status_code != 200 or "text/html" not in answer.headers.get("Content-Type", ""):
            continue
        for form in forms_in(parsed(answer.getvalue()), where):
            known = (form.action.partition("?")[0], form.method, tuple(control.name for control in form.controls))
            if form.action.startswith("/") and known not in seen:
                seen.add(known)
                yield Place(form, client)
