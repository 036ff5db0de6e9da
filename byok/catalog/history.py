"""What happened to a model: its list prices by date, and what looks at the sources found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db.models import Q

from byok.models import CatalogChange, CatalogModel, ChangeKind, DatedPrice
from leadagent.tenants.models import Organization

_SHOWN = 20
PRICE_LABELS = {
    "input_price": "input",
    "output_price": "output",
    "cache_read_price": "cache read",
    "cache_write_price": "cache write",
    "cache_write_1h_price": "one-hour cache write",
}


@dataclass(frozen=True, slots=True)
class PriceStep:
    """One price before and after a change; None for unknown."""

    label: str
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `steps`: prices that changed; `detail`: what else is to be said, as a sentence's part."""

    at: datetime
    label: str
    steps: list[PriceStep]
    detail: str


def list_prices_of(model: CatalogModel) -> list[DatedPrice]:
    """The dated list prices of a model, newest first."""
    rows = DatedPrice.objects.filter(organization=None, route=model.route, model_id=model.model_id)
    return list(rows.order_by("-effective_from")[:_SHOWN])


def events_of(organization: Organization, model: CatalogModel) -> list[Event]:
    """What the catalog noted about a model that this organisation may know, newest first."""
    rows = CatalogChange.objects.filter(
        Q(organization=None) | Q(organization=organization), route=model.route, model_id=model.model_id
    )
    return [_event(row) for row in rows.order_by("-at", "-pk")[:_SHOWN]]


def _event(row: CatalogChange) -> Event:
    steps = [
        PriceStep(label, _price(row.before.get(name)), _price(row.after.get(name)))
        for name, label in PRICE_LABELS.items()
        if row.before.get(name) != row.after.get(name)
    ]
    parts = []
    if row.kind == ChangeKind.RETIRED and row.after.get("retired_on"):
        parts.append(f"on {row.after['retired_on']}")
    if row.after.get("successor"):
        parts.append(f"in its place: {row.after['successor']}")
    return Event(row.at, row.get_kind_display(), steps, ", ".join(parts))


def _price(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
