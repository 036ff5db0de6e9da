"""One model of the catalog in full, and up to four side by side."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from byok.catalog.cards import cards_of, models_named
from byok.catalog.comparing import MOST, side_by_side
from byok.catalog.history import events_of, list_prices_of
from byok.catalog.recommendations import reasons_for
from byok.catalog.selecting import choosing_of
from byok.catalog.what_if import last_month, month_to_date, month_usage, what_if
from byok.config.ai_config import get_ai_config
from byok.views.catalog_place import place_before
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.logs import is_key_shaped
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage.analytics import get_usage_of_model
from usage.utc_days import last_days

USED_DAYS = 30


@organization_view(Role.VIEWER)
@never_cache
@require_safe
def catalog_model(request: HtmxHttpRequest, provider: str, model_id: str) -> HttpResponse:
    """All that is known of a model, what this organisation used of it, and what its months would have cost on it."""
    organization = request.organization
    found = models_named(organization, [f"{provider}:{model_id}"])
    if not found:
        raise Http404("There is no such model in the catalog.")
    [model] = found
    [card] = cards_of(
        found,
        choosing_of(organization, get_ai_config(organization)),
        may_select=request.membership.may(Role.ADMIN),
    )
    successor = models_named(organization, [f"{provider}:{model.successor}"]) if model.successor else []
    context = {
        "card": card,
        "model": model,
        "back": place_before(request),
        "reasons": reasons_for(model.route, model.model_id) if getattr(model, "is_recommended", False) else [],
        "successor": successor[0] if successor else None,
        "used": get_usage_of_model(organization, model.route, model.model_id, *last_days(USED_DAYS)),
        "used_days": USED_DAYS,
        "months": [
            what_if(month_usage(organization, month), kind=model.kind, prices=model)
            for month in (last_month(), month_to_date())
        ],
        "list_prices": list_prices_of(model),
        "events": events_of(organization, model),
    }
    return render_page(request, "byok/catalog/model.html", context)


@organization_view(Role.VIEWER)
@never_cache
@require_safe
def catalog_compare(request: HtmxHttpRequest) -> HttpResponse:
    """The models that `m` names (`provider:model_id`, at most four) side by side."""
    organization = request.organization
    # A model that is ticked on two pages is one model.
    asked = list(dict.fromkeys("a key" if is_key_shaped(each) else each for each in request.GET.getlist("m")))
    found = models_named(organization, asked[:MOST])
    cards = cards_of(
        found,
        choosing_of(organization, get_ai_config(organization)),
        may_select=request.membership.may(Role.ADMIN),
    )
    known = {card.reference for card in cards}
    month = last_month()
    context = {
        "columns": side_by_side(cards, month_usage(organization, month)),
        "month": month,
        "unknown": [reference for reference in asked[:MOST] if reference not in known],
        "left_out": len(asked[MOST:]),
        "most": MOST,
        "back": place_before(request),
        "compare_url": reverse("byok:catalog_compare", args=[organization.slug]),
    }
    return render_page(request, "byok/catalog/compare.html", context)
