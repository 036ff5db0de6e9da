"""The prices that an organisation has agreed with a provider: adding one, ending one, what there is.

They price calls on the organisation's own key that are made from then on. Calls that are recorded keep the price that
they were recorded with: nothing is ever priced anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from byok.config.values import InvalidConfig, refuse_key
from byok.models import DatedPrice, PriceColumns
from byok.pricing import Pricing, get_pricing, list_pricings
from byok.providers import REGISTRY
from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User

# Prices per million tokens with six decimals: a single token's cost is then exact in what usage stores.
MAX_DECIMALS = 6
MAX_PRICE = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """One row, how it stands now, and the public list price of the model beside it (None where none is known)."""

    price: DatedPrice
    # in force, to come, ended
    state: str
    listed: Pricing | None


def add_negotiated_price(
    organization: Organization,
    *,
    provider: str,
    model: str,
    prices: Mapping[str, Decimal | None],
    starts_on: date,
    last_day: date | None = None,
    note: str = "",
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> DatedPrice:
    """Add a price; it counts from midnight UTC of `starts_on`, or from now if that is today, until after `last_day`.

    `prices`: US dollars per million tokens by the names of `PriceColumns.PRICES`; what is left out is not agreed.
    A start in the past may not lie before this month: it changes no recorded call.
    Raises `InvalidConfig` with the field that is to be mended; then nothing is saved.
    """
    now = timezone.now()
    model_id = _checked_model(provider, model)
    rates = _checked_rates(provider, model_id, prices)
    note = _checked_note(note)
    begins, ends = _checked_period(starts_on, last_day, now)
    with transaction.atomic():
        # One at a time per organisation: two equal ones are then seen, and told at their field.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        same = organization.negotiated_prices.filter(route=provider, model_id=model_id)
        if same.filter(effective_from=begins).exists():
            raise InvalidConfig(
                "starts_on",
                "There is a price of this model from that day already. Choose another day, or end it first.",
            )
        before = same.filter(effective_from__lte=begins).order_by("-effective_from").first()
        price = DatedPrice.objects.create(
            organization=organization,
            route=provider,
            model_id=model_id,
            effective_from=begins,
            effective_until=ends,
            source="negotiated",
            note=note,
            created_by=actor,
            **rates,
        )
        audit.record(
            "price.negotiated",
            organization=organization,
            actor=actor,
            target=_name(price),
            before=_told(before) if before else None,
            after=_told(price),
            request=request,
        )
    return price


def end_negotiated_price(
    organization: Organization, price_id: int, *, actor: User | None = None, request: HttpRequest | None = None
) -> DatedPrice | None:
    """End a price now, or take one back that has not begun; None where there is no such price or it has ended."""
    now = timezone.now()
    with transaction.atomic():
        price = organization.negotiated_prices.select_for_update().filter(pk=price_id).first()
        if price is None or (price.effective_until is not None and price.effective_until <= now):
            return None
        before = _told(price)
        if price.effective_from >= now:
            action, after = "price.withdrawn", None
            price.delete()
        else:
            action = "price.ended"
            price.effective_until = now
            price.save(update_fields=["effective_until"])
            after = _told(price)
        audit.record(
            action,
            organization=organization,
            actor=actor,
            target=_name(price),
            before=before,
            after=after,
            request=request,
        )
    return price


def negotiated_prices(organization: Organization) -> list[Negotiated]:
    """All of them, those in force and to come first, then the newest start."""
    now = timezone.now()
    rows = list(organization.negotiated_prices.select_related("created_by").order_by("-effective_from", "-pk"))
    listed = list_pricings({(row.route, row.model_id) for row in rows}, at=now)
    found = [Negotiated(row, _state(row, now), listed.get((row.route, row.model_id))) for row in rows]
    return sorted(found, key=lambda one: one.state == "ended")


def _state(price: DatedPrice, now: datetime) -> str:
    if price.effective_until is not None and price.effective_until <= now:
        return "ended"
    return "in force" if price.effective_from <= now else "to come"


def _checked_model(provider: str, model: str) -> str:
    """The model's name as calls to this provider carry it: that is what prices are looked up by."""
    entry = REGISTRY.get(provider)
    if entry is None:
        raise InvalidConfig("provider", "Choose one of the providers.")
    if not model.strip():
        raise InvalidConfig("model", "Enter the model that the price is for.")
    if len(model.strip()) > 200:
        raise InvalidConfig("model", "A model's name has at most 200 characters.")
    refuse_key("model", model)
    try:
        return entry.model_id(entry.check_model(model))
    except ValueError as exc:
        raise InvalidConfig("model", str(exc)) from None


def _checked_rates(provider: str, model_id: str, prices: Mapping[str, Decimal | None]) -> dict[str, Decimal | None]:
    rates = {name: prices.get(name) for name in PriceColumns.PRICES}
    for name, rate in rates.items():
        if rate is None:
            continue
        if not rate.is_finite() or not 0 <= rate < MAX_PRICE:
            raise InvalidConfig(name, "Enter a price between 0 and 1,000,000 dollars per million tokens.")
        if rate != round(rate, MAX_DECIMALS):
            raise InvalidConfig(name, f"Enter a price with at most {MAX_DECIMALS} decimals.")
    if rates["input_price"] is None:
        raise InvalidConfig("input_price", "Enter the price of input.")
    if rates["output_price"] is None and not _sells_no_output(provider, model_id):
        raise InvalidConfig("output_price", "Enter the price of output. Only embedding models have none.")
    return rates


def _sells_no_output(provider: str, model_id: str) -> bool:
    listed = get_pricing(provider, model_id)
    return model_id in REGISTRY[provider].embedding_models or (listed is not None and listed.output is None)


def _checked_note(note: str) -> str:
    note = note.strip()
    if len(note) > 200:
        raise InvalidConfig("note", "Use at most 200 characters.")
    if note:
        refuse_key("note", note)
    return note


def _checked_period(starts_on: date, last_day: date | None, now: datetime) -> tuple[datetime, datetime | None]:
    today = now.astimezone(UTC).date()
    if starts_on < today.replace(day=1):
        raise InvalidConfig(
            "starts_on", f"Choose a day from {today.replace(day=1):%-d %B %Y} on: earlier months are closed."
        )
    if last_day is not None and last_day < max(starts_on, today):
        raise InvalidConfig("last_day", "The last day lies before the price counts.")
    if last_day is not None and last_day.year > 2200:
        raise InvalidConfig("last_day", "Leave it empty where no end is agreed.")
    begins = now if starts_on == today else datetime.combine(starts_on, time.min, UTC)
    return begins, datetime.combine(last_day + timedelta(days=1), time.min, UTC) if last_day else None


def _name(price: DatedPrice) -> str:
    return f"{price.get_route_display()}: {price.model_id}"


def _told(price: DatedPrice) -> dict[str, Any]:
    """A price as the audit log keeps it: sums as text, nothing rounded."""
    rates = {name: getattr(price, name) for name in PriceColumns.PRICES}
    return {
        "from": price.effective_from.isoformat(timespec="seconds"),
        "until": price.effective_until.isoformat(timespec="seconds") if price.effective_until else None,
        **{name: None if rate is None else f"{rate.normalize():f}" for name, rate in rates.items()},
        "note": price.note,
    }
