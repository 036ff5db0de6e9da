"""What one looks for in the catalog: read from an address, and found in the database.

A filter is the same for the page and for the API. What cannot be read is told at its own
parameter and left out of the filter, so that a page still shows something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict

from byok.catalog.vendors import vendor_label
from byok.models import Capability, CatalogModel, ModelKind, Tier
from byok.models.catalog import CatalogModelQuerySet
from byok.providers import REGISTRY
from leadagent.logs import is_key_shaped
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
_YES, _NO = frozenset({"1", "on", "true", "yes"}), frozenset({"", "0", "off", "false", "no"})
_TOKENS = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([km]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_MOST_TOKENS = 1_000_000_000
_HIGHEST_PRICE = Decimal(1_000_000)

Value = TypeVar("Value")


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter as it was read, and by parameter what could not be read and why."""

    filter: CatalogFilter
    errors: Mapping[str, str] = field(default_factory=dict)


def read_filter(params: QueryDict, *, limit: int = PAGE) -> Asked:
    """Read query parameters; `limit` is the page's length where none is asked for. Never raises."""
    readers: dict[str, Callable[[str], Any]] = {
        "q": _words,
        "tier": _one_of(TIERS),
        "vendor": _name,
        "provider": _one_of(REGISTRY),
        "kind": _one_of(ModelKind.values),
        "modality": _one_of(MODALITIES),
        "min_context": _token_count,
        "max_price": _price,
        "usable": _yes_or_no,
        "retired": _yes_or_no,
        "sort": _sort,
        "limit": _limit,
        "cursor": _cursor,
    }
    values: dict[str, Any] = {"limit": limit}
    errors: dict[str, str] = {}
    for name, read in readers.items():
        text = params.get(name, "").strip()
        if not text:
            continue
        if name != "cursor" and is_key_shaped(text):
            errors[name] = "This looks like a key. It was not searched for."
            continue
        try:
            values[name] = read(text)
        except ValueError as error:
            errors[name] = str(error)
    asked = [text.strip() for text in params.getlist("capability") if text.strip()]
    known = [str(value) for value in Capability.values if value in asked]
    if set(asked) - set(known):
        errors["capability"] = _choices(Capability.values)
    return Asked(CatalogFilter(**values, capability=tuple(known)), errors)


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


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _words(text: str) -> str:
    if len(text) > 200:
        raise ValueError("Use at most 200 characters.")
    if not text.isprintable():
        raise ValueError("Use one line of plain text.")
    return " ".join(text.split())


def _name(text: str) -> str:
    if len(text) > 80 or not text.isprintable():
        raise ValueError("This is no maker of models.")
    return text


def _choices(known: Any) -> str:
    return f"Choose one of {', '.join(map(str, known))}."


def _one_of(known: Any) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(_choices(known))
        return text

    return read


def _token_count(text: str) -> int:
    """`128000`, `128,000`, `128k`, `1M`, `1.5m`."""
    match = _TOKENS.fullmatch(text.replace(",", "").replace("_", ""))
    if match is None or not text.isascii():
        raise ValueError("Enter a number of tokens, for example 128000, 200k or 1M.")
    number, unit = match.groups()
    count = int(Decimal(number) * _UNITS[unit.lower()])
    if count > _MOST_TOKENS:
        raise ValueError("No model holds that much: enter at most 1,000,000,000 tokens.")
    return count


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text.removeprefix("$").strip())
    except InvalidOperation:
        price = Decimal("NaN")
    if not text.isascii() or not price.is_finite() or price < 0:
        raise ValueError("Enter a price in dollars, for example 3 or 0.25.")
    exponent = price.as_tuple().exponent
    if price > _HIGHEST_PRICE or (isinstance(exponent, int) and exponent < -10):
        raise ValueError("Enter a price up to 1,000,000 dollars, with at most ten decimals.")
    # One spelling for one price: 3, 3.00 and 0.3e1 are the same filter.
    return price.normalize() + 0


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError("Use 1 for yes, or leave it out.")
    return text.lower() in _YES


def _sort(text: str) -> Sort:
    if text not in list(Sort):
        raise ValueError(_choices(list(Sort)))
    return Sort(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise ValueError(f"Use a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _cursor(text: str) -> str:
    if len(text) > 2000:
        raise ValueError("This cursor was never given out.")
    return text
