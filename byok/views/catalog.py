"""The catalog of models: search, filters, cards."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from byok.catalog.cards import cards_of
from byok.catalog.facets import facets, vendors_of
from byok.catalog.paging import BadCursor, CatalogPage, catalog_page
from byok.catalog.read_filter import Asked, read_filter
from byok.catalog.search import MODALITIES, SORTS, TIERS, ActiveFilter
from byok.catalog.selecting import choosing_of
from byok.catalog.vendors import WELL_KNOWN
from byok.config.ai_config import get_ai_config
from byok.models import Capability, ModelKind, provider_choices
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.logs import is_key_shaped
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

# What people type into; everything else is chosen and cannot be wrong unless an address was written by hand.
_TYPED = ("q", "min_context", "max_price")
# The parts of the page that htmx asks for by the id of the element it fills.
_PARTS = {"results": "results", "catalog": "catalog"}


@organization_view(Role.VIEWER)
@never_cache
@require_safe
def catalog(request: HtmxHttpRequest) -> HttpResponse:
    """The models that match the address's filters: the page, its results alone, or the next cards."""
    asked = read_filter(request.GET)
    organization, wanted, errors = request.organization, asked.filter, dict(asked.errors)
    choosing = choosing_of(organization, get_ai_config(organization))
    usable_with = choosing.usable_providers
    try:
        page = catalog_page(organization, wanted, usable_with=usable_with)
    except BadCursor as bad:
        page, errors["cursor"] = CatalogPage([], ""), str(bad)
    list_url = reverse("byok:catalog", args=[organization.slug])
    address = _address(list_url, wanted.as_query())
    context: dict[str, Any] = {
        "list_url": list_url,
        "wanted": wanted,
        "address": address,
        "cards": cards_of(
            page.models,
            choosing,
            may_select=request.membership.may(Role.ADMIN),
        ),
        "next_url": _address(list_url, wanted.as_query(cursor=page.next_cursor)) if page.next_cursor else "",
        "errors": errors,
        "other_errors": {name: text for name, text in errors.items() if name not in _TYPED},
    }
    part = _PARTS.get(request.htmx.target or "", "cards") if request.htmx else ""
    if part != "cards" or request.htmx.history_restore_request:
        counted = facets(organization, wanted, usable_with=usable_with)
        context |= {
            "total": counted.total,
            "tier_chips": [("", "All", wanted.as_query(tier=""))]
            + [(value, label, wanted.as_query(tier=value)) for value, label in TIERS.items()],
            "vendor_chips": [
                (each.vendor, each.label, each.count, wanted.as_query(vendor=_toggled(wanted.vendor, each.vendor)))
                for each in counted.vendors
                if each.vendor in {*WELL_KNOWN, wanted.vendor}
            ],
            "active": wanted.active(),
            "drops": [] if page.models else _worth_dropping(request, asked, usable_with),
            "typed": {name: _shown_again(request.GET.get(name, "").strip()) for name in _TYPED},
            **_choices(request, part),
        }
    response = render_page(request, "byok/catalog/list.html", context, partial=part, status=422 if errors else 200)
    if part in _PARTS:
        # A form names every field, empty ones too: the address that is kept names what was chosen.
        response.headers["HX-Push-Url"] = address
    return response


def _shown_again(typed: str) -> str:
    """What was typed, so that it can be mended; a key is not shown again."""
    return "" if is_key_shaped(typed) else typed


def _choices(request: HtmxHttpRequest, part: str) -> dict[str, object]:
    """What the form offers; its results come without it."""
    if part == "results":
        return {}
    return {
        "vendors": vendors_of(request.organization),
        "sorts": SORTS.items(),
        "providers": provider_choices(),
        "kinds": ModelKind.choices,
        "modalities": MODALITIES.items(),
        "capabilities": Capability.choices,
    }


def _worth_dropping(
    request: HtmxHttpRequest, asked: Asked, usable_with: frozenset[str]
) -> list[tuple[ActiveFilter, int, str]]:
    """For a list without a match: how many models there would be without each choice, the most helpful first."""
    counted = [
        (each, facets(request.organization, each.without, usable_with=usable_with).total, each.without.as_query())
        for each in asked.filter.active()
    ]
    return sorted((each for each in counted if each[1]), key=lambda each: -each[1])


def _toggled(chosen: str, value: str) -> str:
    return "" if chosen == value else value


def _address(list_url: str, query: str) -> str:
    return f"{list_url}?{query}" if query else list_url
