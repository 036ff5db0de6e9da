"""All pages of a furnished organisation, and the forms in them, as its admin and as a stranger finds them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import reverse

from tests.fuzz.pages.markup import Control, Form, forms_in, parsed
from tests.routes import ROUTES
from tests.security.hostile_tenant import HostileTenant, make_hostile, tenant_addresses

_OWN_ACCOUNT = ("account_change_password", "account_email", "mfa_index", "mfa_activate_totp", "tenants:create")
_SIGNED_OUT = ("account_login", "account_signup", "account_reset_password")


# Addresses that take a form, and why no page of a furnished organisation has it.
NOT_SHOWN = {
    "byok:catalog_select": "for a model that its provider still offers",
    "byok:change_form": "sent by a script when another provider is ticked; its fields are those of the settings",
    "leads:import": "while its columns are not chosen: see files/test_csv.py",
    "leads:import_cancel": "a button, while an import goes on",
    "leads:reopen": "a button, for a closed lead",
    "leads:compare_use": "a button, for a comparison that has ended",
    "leads:run_fallback": "a button, where the organisation leaves it to its people",
    "leads:draft_unschedule": "a button, for an email that waits for its time",
    "leads:draft_rewrite_cancel": "a button, while a rewrite goes on",
    "leads:draft_rewrite_fallback": "a button, where the organisation leaves it to its people",
    "leads:knowledge_reembedding_start": "a button, after another embedding model was chosen",
}
# What their buttons and scripts send.
_FIELDS = {"version": "1", "number": "1", "seen": "0", "m": "openai:gpt-4o", "for": "chat", "provider": "openai", "to": "",
           "chat_model": "gpt-4o", "column_email": "0", "at_once": "3"}  # fmt: skip


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


def hidden_places(tenant: HostileTenant) -> Iterator[Place]:
    """The forms of those addresses, as whoever knows them can send them."""
    client = signed_in(tenant)
    fields = tuple(Control(name, "hidden", value) for name, value in _FIELDS.items())
    for route in ROUTES:
        if route.name in NOT_SHOWN:
            named = {"org": tenant.organization.slug} | {
                name: tenant.ids[name] for name in route.in_address if name != "org"
            }
            where = reverse(route.name, kwargs=named)
            yield Place(Form(where, where, "post", fields), client)


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
