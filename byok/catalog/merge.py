"""Putting what a source tells of models into the catalog, and noting what changed by it.

One merge is one transaction, and one at a time: two that run side by side take turns. What a
provider's own list tells wins over the packaged facts; what it does not tell (last days above
all) stays as the packaged facts have it. Nothing is deleted: what a list leaves out is marked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from byok.catalog.listing import ListedModel
from byok.catalog.packaged import SOURCE as PACKAGED
from byok.catalog.tiers import is_small, tier_of
from byok.models import CatalogChange, CatalogModel, CatalogSync, ChangeKind, DatedPrice, PriceColumns, SyncOutcome
from leadagent.advisory_locks import AdvisoryLock
from leadagent.tenants.models import Organization

# What a source may tell, as columns; prices apart.
_FACTS = (
    "vendor",
    "name",
    "description",
    "kind",
    "context_window",
    "max_output",
    "input_modalities",
    "output_modalities",
    "capabilities",
    "released_on",
    "retired_on",
    "successor",
)
_LAST_DAYS = frozenset({"retired_on", "successor"})
_WRITTEN = (*_FACTS, *PriceColumns.PRICES, "price_source", "tier", "is_fast", "source", "checked_on", "vanished_at")


def merge(
    listed: Sequence[ListedModel],
    *,
    source: str,
    route: str,
    organization: Organization | None = None,
    is_complete: bool = True,
    unread: Collection[str] = (),
    sync: CatalogSync | None = None,
) -> CatalogSync:
    """Bring the catalog's models of `route` (and `organization`) in line with what `source` lists.

    `is_complete`: what the list leaves out is gone from there. `unread`: names of what it holds
    and what could not be read of it: not gone, and left as it is. `sync`: the look that found
    the list; a new one is noted where none is given. Returns it, with its counts.
    """
    now = timezone.now()
    # A name that a list holds twice counts once.
    listed = list({model.model_id: model for model in listed}.values())
    names = {model.model_id for model in listed}
    with transaction.atomic():
        AdvisoryLock.CATALOG.hold()
        sync = sync or CatalogSync.objects.create(source=source, organization=organization, started_at=now)
        rows = {row.model_id: row for row in CatalogModel.objects.filter(route=route, organization=organization)}
        # The very first load is no news to anybody.
        is_first = not rows
        taken_away = _taken_away_live(rows.values()) if source == PACKAGED else frozenset()
        changes: list[CatalogChange] = []
        written: list[CatalogModel] = []
        for told in listed:
            row = rows.get(told.model_id)
            before = _values(row) if row is not None else {}
            row = _merged(row, told, route=route, organization=organization, is_live=source != PACKAGED)
            if row.model_id not in taken_away:
                row.vanished_at = None
            changes += _changes(row, before, now)
            if _values(row) != before:
                written.append(row)
        if is_complete:
            gone = _gone(rows.values(), names | set(unread), source, now)
            changes += [_change(ChangeKind.REMOVED, row, now) for row in gone]
            written += gone
        _write(written)
        CatalogModel.objects.filter(route=route, organization=organization, source=source, model_id__in=names).update(
            checked_on=max((model.checked_on or now.date() for model in listed), default=now.date())
        )
        if organization is None and source != PACKAGED:
            _note_prices(listed, route, now)
        if is_first:
            changes = [change for change in changes if change.kind != ChangeKind.ADDED]
        for change in changes:
            change.sync, change.organization = sync, organization
        CatalogChange.objects.bulk_create(changes)
        _sum_up(sync, len(listed), len(rows), changes, written)
    return sync


def _values(row: CatalogModel) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _WRITTEN if name != "checked_on"}


def _merged(
    row: CatalogModel | None, told: ListedModel, *, route: str, organization: Organization | None, is_live: bool
) -> CatalogModel:
    """The row with what the source tells; a new one where there is none."""
    is_known_live = row is not None and row.source != PACKAGED
    row = row or CatalogModel(route=route, organization=organization, model_id=told.model_id)
    for name in _FACTS:
        value = _plain(getattr(told, name))
        current = getattr(row, name)
        if name in _LAST_DAYS and not is_live:
            # They are the packaged facts' own, and over where these no longer name one. What its vendor has
            # ended, the list that was read since may name all the same.
            if not (is_known_live and told.retired_on is not None and told.retired_on <= timezone.now().date()):
                setattr(row, name, value)
            continue
        if value is None or value == "" or (value == [] and name != "capabilities"):
            continue
        # Everything else a live list knows better.
        if is_live or not is_known_live or current in (None, "", []):
            setattr(row, name, value)
    if _tells_prices(told, row, is_live=is_live, is_known_live=is_known_live):
        for column in PriceColumns.PRICES:
            setattr(row, column, told.prices.get(column))
        row.price_source = told.price_source
    if is_live or not is_known_live:
        row.source, row.checked_on = told.source, told.checked_on or timezone.now().date()
    if is_live and row.retired_on is not None and row.retired_on <= timezone.now().date():
        row.retired_on, row.successor = None, ""
    row.tier = tier_of(row.model_id, {name: getattr(row, name) for name in PriceColumns.PRICES}, kind=row.kind)
    row.is_fast = is_small(row.model_id)
    return row


def _tells_prices(told: ListedModel, row: CatalogModel, *, is_live: bool, is_known_live: bool) -> bool:
    """Whether the row's prices are the source's to tell. With a source and without prices they are unknown."""
    if is_live:
        return bool(told.prices or told.price_source)
    # Prices that the provider's own list told carry its name.
    return not is_known_live or not row.price_source.startswith(f"{row.source} ")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _changes(row: CatalogModel, before: dict[str, Any], now: datetime) -> Iterable[CatalogChange]:
    if not before:
        yield _change(ChangeKind.ADDED, row, now)
        return
    if before["vanished_at"] is not None and row.vanished_at is None:
        yield _change(ChangeKind.RESTORED, row, now)
    prices = {name for name in PriceColumns.PRICES if before[name] != getattr(row, name)}
    if prices:
        yield _change(ChangeKind.REPRICED, row, now, before, PriceColumns.PRICES)
    if row.retired_on is not None and before["retired_on"] != row.retired_on:
        yield _change(ChangeKind.RETIRED, row, now, before, ("retired_on", "successor"))


def _change(
    kind: ChangeKind,
    row: CatalogModel,
    now: datetime,
    before: dict[str, Any] | None = None,
    names: tuple[str, ...] = (),
) -> CatalogChange:
    return CatalogChange(
        kind=kind,
        route=row.route,
        model_id=row.model_id,
        at=now,
        before={name: _as_text((before or {})[name]) for name in names},
        after={name: _as_text(getattr(row, name)) for name in names},
    )


def _as_text(value: Decimal | date | str | None) -> str | None:
    if isinstance(value, Decimal):
        # 2.5, not 2.5000000000: before is read from the column, after comes from a list.
        return f"{value.normalize():f}"
    return None if value is None else str(value)


def _gone(rows: Iterable[CatalogModel], listed: set[str], source: str, now: datetime) -> list[CatalogModel]:
    """Rows that the list leaves out. A packaged list says nothing of what only a provider's own list knows."""
    gone = [
        row
        for row in rows
        if row.model_id not in listed
        and row.vanished_at is None
        and not (source == PACKAGED and row.source != PACKAGED)
    ]
    for row in gone:
        row.vanished_at = now
    return gone


def _taken_away_live(rows: Iterable[CatalogModel]) -> frozenset[str]:
    """Names of what is gone because the provider's own list left it out: only that list brings it back."""
    gone = [row for row in rows if row.vanished_at is not None]
    if not gone:
        return frozenset()
    last = (
        CatalogChange.objects.filter(
            kind=ChangeKind.REMOVED,
            route=gone[0].route,
            organization=gone[0].organization_id,
            model_id__in=[row.model_id for row in gone],
        )
        .order_by("model_id", "-at", "-pk")
        .distinct("model_id")
    )
    by_source = dict(last.values_list("model_id", "sync__source"))
    return frozenset(name for name, source in by_source.items() if source != PACKAGED)


def _write(rows: list[CatalogModel]) -> None:
    CatalogModel.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["route", "model_id", "organization"],
        update_fields=list(_WRITTEN),
        batch_size=500,
    )


def _note_prices(listed: Sequence[ListedModel], route: str, now: datetime) -> None:
    """What the provider charges from now on, where that is not what it charged last."""
    latest = {
        price.model_id: {name: getattr(price, name) for name in PriceColumns.PRICES}
        for price in DatedPrice.objects.filter(route=route, organization=None)
        .order_by("model_id", "-effective_from")
        .distinct("model_id")
    }
    DatedPrice.objects.bulk_create(
        DatedPrice(
            route=route,
            model_id=model.model_id,
            effective_from=now,
            source=model.price_source,
            **{name: model.prices.get(name) for name in PriceColumns.PRICES},
        )
        for model in listed
        # Told without a figure: from now on it is unknown, whatever it was before.
        if (model.prices or model.price_source)
        and latest.get(model.model_id) != {name: model.prices.get(name) for name in PriceColumns.PRICES}
    )


def _sum_up(
    sync: CatalogSync, listed: int, known: int, changes: list[CatalogChange], written: list[CatalogModel]
) -> None:
    kinds = [change.kind for change in changes]
    sync.listed += listed
    sync.added += kinds.count(ChangeKind.ADDED) if known else listed
    sync.removed += kinds.count(ChangeKind.REMOVED)
    sync.repriced += kinds.count(ChangeKind.REPRICED)
    if written:
        sync.outcome = SyncOutcome.CHANGED
    sync.outcome = sync.outcome or SyncOutcome.UNCHANGED
    sync.finished_at = timezone.now()
    sync.save()
