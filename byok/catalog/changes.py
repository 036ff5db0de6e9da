"""What looks at the catalog's sources found lately, as an organisation may know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q

from byok.models import CatalogChange, CatalogModel, ChangeKind, PriceColumns
from leadagent.tenants.models import Organization


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One price column of a model: US dollars per million tokens, None where it was or is unknown."""

    column: str
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True, slots=True)
class RecentChange:
    """One change. `prices` only for a new price; `retired_on` and `successor` only for an announced last day.

    `kind`: a value of `ChangeKind`; `label`: the same for people. `is_own`: of a fine-tuned model of the
    organisation's own account.
    """

    at: datetime
    kind: str
    label: str
    route: str
    model_id: str
    name: str
    is_own: bool
    prices: tuple[PriceChange, ...] = ()
    retired_on: date | None = None
    successor: str = ""


def recent_changes(organization: Organization, limit: int = 20) -> list[RecentChange]:
    """At most `limit` changes, newest first: everybody's, and those of its own models. Two queries."""
    rows = list(
        CatalogChange.objects.filter(Q(organization=None) | Q(organization=organization)).order_by("-at", "-pk")[:limit]
    )
    known = CatalogModel.objects.visible_to(organization).filter(model_id__in={row.model_id for row in rows})
    names: dict[tuple[str, str, int | None], str] = {
        (route, model_id, owner): name
        for route, model_id, owner, name in known.values_list("route", "model_id", "organization_id", "name")
    }
    return [
        _recent(row, names.get((row.route, row.model_id, row.organization_id), row.model_id), organization)
        for row in rows
    ]


def _recent(row: CatalogChange, name: str, organization: Organization) -> RecentChange:
    retired_on = row.after.get("retired_on") if row.kind == ChangeKind.RETIRED else None
    return RecentChange(
        at=row.at,
        kind=row.kind,
        label=row.get_kind_display(),
        route=row.route,
        model_id=row.model_id,
        name=name,
        is_own=row.organization_id == organization.pk,
        prices=_prices(row) if row.kind == ChangeKind.REPRICED else (),
        retired_on=date.fromisoformat(retired_on) if retired_on else None,
        successor=(row.after.get("successor") or "") if row.kind == ChangeKind.RETIRED else "",
    )


def _prices(row: CatalogChange) -> tuple[PriceChange, ...]:
    """Those that changed, in the order of the columns."""
    return tuple(
        PriceChange(column, _price(row.before.get(column)), _price(row.after.get(column)))
        for column in PriceColumns.PRICES
        if row.before.get(column) != row.after.get(column)
    )


def _price(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
