"""The page of an organisation's negotiated prices: everybody sees them, admins add and end them."""

from __future__ import annotations

from datetime import UTC, date, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from byok.catalog.offered_models import search_models
from byok.config.ai_config import get_ai_config
from byok.config.values import InvalidConfig
from byok.models import DatedPrice
from byok.pricing import get_pricing
from byok.pricing.forms import NegotiatedPriceForm
from byok.pricing.negotiated import Negotiated, add_negotiated_price, end_negotiated_price, negotiated_prices
from byok.provider_names import provider_label
from byok.providers import REGISTRY
from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role

_KINDS = {"in force": "good", "to come": "info", "ended": "idle"}
# The column, its name on the page, and the same price in the public list.
_COLUMNS = (
    ("input_price", "Input", "input"),
    ("output_price", "Output", "output"),
    ("cache_read_price", "Cache read", "cache_read"),
    ("cache_write_price", "Cache write", "cache_write"),
    ("cache_write_1h_price", "Cache write, 1 h", "cache_write_1h"),
)


@organization_view(Role.VIEWER)
@require_safe
def prices(request: HtmxHttpRequest) -> HttpResponse:
    """The prices that were agreed, in force and past, and for admins the form that adds one."""
    own = get_ai_config(request.organization).provider
    return _page(request, NegotiatedPriceForm(initial={"provider": own} if own in REGISTRY else None))


@organization_view(Role.ADMIN)
def price_add(request: HtmxHttpRequest) -> HttpResponse:
    """Add a price. A GET (a reload) shows the page."""
    if request.method != "POST":
        return redirect("byok:prices", request.organization.slug)
    form = NegotiatedPriceForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    chosen = form.cleaned_data
    try:
        price = add_negotiated_price(
            request.organization,
            provider=chosen["provider"],
            model=chosen["model"],
            prices=form.prices,
            starts_on=chosen["starts_on"],
            last_day=chosen["last_day"],
            note=chosen["note"],
            actor=request.user,
            request=request,
        )
    except InvalidConfig as invalid:
        form.add_error(invalid.field if invalid.field in form.fields else None, str(invalid))
        return _page(request, form, status=422)
    messages.success(request, f"The price of {price.model_id} is saved.")
    if get_pricing(price.route, price.model_id) is None:
        messages.warning(
            request,
            f"No list we know names {price.model_id}. "
            f"Check that it is spelt as {provider_label(price.route)} spells it.",
        )
    return redirect("byok:prices", request.organization.slug)


@organization_view(Role.ADMIN)
def price_end(request: HtmxHttpRequest, price_id: int) -> HttpResponse:
    """GET asks (for browsers without the dialog), POST ends the price, or takes it back before it began."""
    if request.method != "POST":
        price = get_object_or_404(request.organization.negotiated_prices, pk=price_id)
        one = next((one for one in negotiated_prices(request.organization) if one.price == price), None)
        if one is None or one.state == "ended":
            return redirect("byok:prices", request.organization.slug)
        return render(request, "byok/price_end.html", {"row": _row(one)})
    get_object_or_404(request.organization.negotiated_prices, pk=price_id)
    ended = end_negotiated_price(request.organization, price_id, actor=request.user, request=request)
    if ended is None:
        messages.info(request, "This price had ended already.")
    else:
        messages.success(request, f"The price of {ended.model_id} no longer counts for new calls.")
    return redirect("byok:prices", request.organization.slug)


def _page(request: HtmxHttpRequest, form: NegotiatedPriceForm, *, status: int = 200) -> HttpResponse:
    may_change = request.membership.may(Role.ADMIN)
    rows = [_row(one) for one in negotiated_prices(request.organization)]
    picked = str(form["provider"].value() or next(iter(REGISTRY)))
    context = {
        "current": [row for row in rows if row["state"] != "ended"],
        "earlier": [row for row in rows if row["state"] == "ended"],
        "columns": [name for _, name, _ in _COLUMNS],
        "form": form if may_change else None,
        "picked": picked,
        "model_options": search_models(picked, "chat", limit=40) if may_change else [],
    }
    return render(request, "byok/prices.html", context, status=status)


def _row(one: Negotiated) -> dict[str, Any]:
    price = one.price
    return {
        "price": price,
        "state": one.state,
        "kind": _KINDS[one.state],
        "provider": provider_label(price.route),
        "dialog": f"end-{price.pk}",
        "has_begun": one.state != "to come",
        "last_day": _last_day(price),
        "rates": [
            (name, getattr(price, column), getattr(one.listed, listed) if one.listed else None)
            for column, name, listed in _COLUMNS
        ],
    }


def _last_day(price: DatedPrice) -> date | None:
    """The last whole day on which it counts; None where it has no end, or was ended within a day."""
    ends = price.effective_until.astimezone(UTC) if price.effective_until else None
    return (ends - timedelta(days=1)).date() if ends and ends.time() == time.min else None
