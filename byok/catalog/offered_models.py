"""The models that a provider offers, for choosing one: id, name, list prices, context, and why we would take it.

They come out of the catalog. It is a help, not a fence: any name may be typed, and saving tests
it at the provider.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Literal

from django.db.models import Count, Q

from byok.models import CatalogModel
from byok.models.catalog import CatalogModelQuerySet
from byok.providers import REGISTRY, Provider
from leadagent.tenants.models import Organization

Kind = Literal["chat", "embedding"]

EMBEDDING_REASON = "precise enough to find the right document, and cheap"


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One model. Prices are US dollars per million tokens, context is in tokens; None where nobody tells.

    `reason` says why it is recommended; empty for the others. `retired_on` is its last day, where one is known.
    """

    id: str
    name: str
    price_in: Decimal | None
    price_out: Decimal | None
    context_window: int | None
    reason: str = ""
    retired_on: date | None = None
    successor: str = ""


def search_models(
    provider: str, kind: Kind, q: str = "", *, organization: Organization | None = None, limit: int = 40
) -> list[ModelOption]:
    """At most `limit` models whose id or name holds every word of `q`; recommended ones first, in their order.

    With `organization` its own fine-tuned models are among them. One query.
    """
    entry = REGISTRY.get(provider)
    if entry is None:
        return []
    words = q.lower().split()
    found = _models(provider, organization).offered().filter(kind=kind)
    if words:
        found = found.filter(reduce(and_, (Q(model_id__icontains=word) | Q(name__icontains=word) for word in words)))
    reasons = _reasons(entry, kind)
    ranks = {name: rank for rank, name in enumerate(reasons)}

    def rank(row: CatalogModel) -> tuple[int, bool, bool, bool, str]:
        recommended = ranks.get(row.model_id, len(ranks)) if row.retired_on is None else len(ranks)
        begins_so = bool(words) and row.model_id.lower().startswith(tuple(words))
        # An organisation's own models come before everybody's, and what little is known of comes last.
        return recommended, row.organization_id is None, row.context_window is None, not begins_so, row.model_id

    return [option_of(row, reasons.get(row.model_id, "")) for row in sorted(found, key=rank)[:limit]]


def find_model(
    provider: str, kind: Kind, model: str, *, organization: Organization | None = None
) -> ModelOption | None:
    """The known model of that name, retired ones too, or None: it may exist all the same."""
    return find_models(provider, kind, [model], organization=organization).get(model)


def find_models(
    provider: str, kind: Kind, names: Iterable[str], *, organization: Organization | None = None
) -> dict[str, ModelOption]:
    """The known ones of these models, by the names that were given. One query."""
    entry = REGISTRY.get(provider)
    # A refused form comes back with whatever was typed: what no name can hold, PostgreSQL need not be asked about.
    ids = {name: _id_of(entry, kind, name) for name in names if name and name.isprintable()} if entry else {}
    if entry is None or not ids:
        return {}
    rows = _models(provider, organization).filter(kind=kind, model_id__in=set(ids.values()))
    reasons = _reasons(entry, kind)
    known = {row.model_id: option_of(row, reasons.get(row.model_id, "")) for row in rows}
    return {name: known[model_id] for name, model_id in ids.items() if model_id in known}


def _id_of(entry: Provider, kind: Kind, name: str) -> str:
    return entry.embedding_model_id(name) if kind == "embedding" else entry.model_id(name)


def count_models(kind: Kind) -> dict[str, int]:
    """By provider, how many models can be chosen by everybody. One query."""
    offered = CatalogModel.objects.offered().filter(organization=None, kind=kind)
    return dict(offered.values_list("route").annotate(count=Count("pk")).order_by())


def _models(provider: str, organization: Organization | None) -> CatalogModelQuerySet:
    models = CatalogModel.objects.all() if organization is None else CatalogModel.objects.visible_to(organization)
    models = models.filter(route=provider)
    return models.filter(organization=None) if organization is None else models


def _reasons(entry: Provider, kind: Kind) -> dict[str, str]:
    """The models that we would take at a provider, the first one first, and why."""
    if kind == "chat":
        return dict(entry.chat_models)
    return {name: EMBEDDING_REASON if not place else "" for place, name in enumerate(entry.embedding_models)}


def option_of(row: CatalogModel, reason: str) -> ModelOption:
    """A row of the catalog as an option; `reason` says why it is recommended, empty where it is not."""
    return ModelOption(
        id=row.model_id,
        name=row.name,
        price_in=row.input_price,
        price_out=row.output_price,
        context_window=row.context_window,
        # Nobody begins with a model whose last day is known.
        reason=reason if row.retired_on is None else "",
        retired_on=row.retired_on,
        successor=row.successor,
    )
