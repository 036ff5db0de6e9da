"""What one looks for in the catalog, and the models that match."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from byok.catalog.vendors import vendor_label
from byok.models import Capability, CatalogModel, ModelKind, Tier
from byok.models.catalog import CatalogModelQuerySet
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization

MAX_LIMIT = 200
PAGE = 24
# Beside the tiers by price: models that are known to answer quickly.
FAST = "fast"
TIERS = {**{str(tier.value): str(tier.label) for tier in Tier}, FAST: "Fast"}
# What a model takes, and with -out what it makes.
MODALITIES = {
    "image": "Reads images",
    "file": "Reads files",
    "audio": "Hears audio",
    "video": "Watches video",
    "text": "Reads text",
    "image-out": "Makes images",
    "audio-out": "Makes audio",
    "video-out": "Makes video",
    "text-out": "Writes text",
}


class Sort(StrEnum):
    POPULAR = "popular"
    PRICE = "price"
    CONTEXT = "context"
    NEWEST = "newest"
    NAME = "name"


SORTS = {
    Sort.POPULAR: "Most popular",
    Sort.NEWEST: "Newest",
    Sort.PRICE: "Lowest price",
    Sort.CONTEXT: "Largest context",
    Sort.NAME: "Name",
}


@dataclass(frozen=True, slots=True)
class CatalogFilter:
    """Which models, in which order, and which part of them. Everything empty: all models on offer, popular first.

    `min_context` is in tokens, `max_price` in US dollars per million input tokens: a model without the figure
    does not match. `usable`: only providers whose key the organisation has. `retired`: also those that no
    longer answer. `capability`: all of them. `cursor`: the place after which the page begins.
    """

    q: str = ""
    tier: str = ""
    vendor: str = ""
    provider: str = ""
    kind: str = ""
    modality: str = ""
    capability: tuple[str, ...] = ()
    min_context: int | None = None
    max_price: Decimal | None = None
    usable: bool = False
    retired: bool = False
    sort: Sort = Sort.POPULAR
    limit: int = PAGE
    cursor: str = ""

    def as_query(self, **changes: Any) -> str:
        """The filter as a query string, each choice once and in a fixed order; `changes` by field.

        The place and the length of the page are only in it when they are named.
        """
        named: dict[str, Any] = {"cursor": "", "limit": PAGE} | changes
        asked = replace(self, **named)
        pairs = [
            (each.name, _as_text(value))
            for each in fields(asked)
            if each.name != "capability" and (value := getattr(asked, each.name)) != each.default
        ]
        pairs += [("capability", value) for value in asked.capability]
        return urlencode(pairs)

    @property
    def has_details(self) -> bool:
        """Whether more was chosen than words, tier, maker and order."""
        return any(each.name not in {"q", "tier", "vendor"} for each in self.active())

    def active(self) -> list[ActiveFilter]:
        """What narrows the list, each with the address of the list without it."""
        words: list[tuple[str, str, Any]] = [
            ("q", f"“{self.q}”", ""),
            ("tier", TIERS.get(self.tier, ""), ""),
            ("vendor", f"by {vendor_label(self.vendor)}", ""),
            ("provider", f"at {REGISTRY[self.provider].label}" if self.provider else "", ""),
            ("kind", ModelKind(self.kind).label if self.kind else "", ""),
            ("modality", MODALITIES.get(self.modality, ""), ""),
            *(
                ("capability", str(Capability(value).label), tuple(c for c in self.capability if c != value))
                for value in self.capability
            ),
            ("min_context", f"at least {self.min_context:,} tokens" if self.min_context is not None else "", None),
            ("max_price", f"at most ${self.max_price:f} input" if self.max_price is not None else "", None),
            ("usable", "usable with your key", False),
            ("retired", "retired ones too", False),
        ]
        return [
            ActiveFilter(name, label, replace(self, cursor="", **{name: without}))
            for name, label, without in words
            if getattr(self, name) != without
        ]


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """One choice in words, and the filter without it."""

    name: str
    label: str
    without: CatalogFilter


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def matching(
    organization: Organization, wanted: CatalogFilter, *, usable_with: frozenset[str] = frozenset()
) -> CatalogModelQuerySet:
    """The models that this organisation may see and that match, in no order.

    `usable_with`: the providers that count for `usable`.
    """
    found = CatalogModel.objects.visible_to(organization)
    if not wanted.retired:
        found = found.offered()
    conditions = Q()
    for word in wanted.q.split():
        conditions &= Q(model_id__icontains=word) | Q(name__icontains=word) | Q(vendor__icontains=word)
    if wanted.tier:
        conditions &= Q(is_fast=True) if wanted.tier == FAST else Q(tier=wanted.tier)
    for name, value in (("vendor", wanted.vendor), ("route", wanted.provider), ("kind", wanted.kind)):
        if value:
            conditions &= Q(**{name: value})
    if wanted.modality:
        modality, _, makes = wanted.modality.partition("-")
        column = "output_modalities" if makes else "input_modalities"
        conditions &= Q(**{f"{column}__contains": [modality]})
    if wanted.capability:
        conditions &= Q(capabilities__contains=list(wanted.capability))
    if wanted.min_context is not None:
        conditions &= Q(context_window__gte=wanted.min_context)
    if wanted.max_price is not None:
        conditions &= Q(input_price__lte=wanted.max_price)
    if wanted.usable:
        conditions &= Q(route__in=sorted(usable_with))
    return found.filter(conditions)
