"""Reading a filter of the catalog from an address: the same for the page and for the API.

What cannot be read is told at its own parameter and left out of the filter, so that a page still shows something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict

from byok.catalog.search import MAX_LIMIT, MODALITIES, PAGE, TIERS, CatalogFilter, Sort
from byok.models import Capability, ModelKind
from byok.providers import REGISTRY
from leadagent.logs import is_key_shaped

_YES, _NO = frozenset({"1", "on", "true", "yes"}), frozenset({"", "0", "off", "false", "no"})
_TOKENS = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([km]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_MOST_TOKENS = 1_000_000_000
_HIGHEST_PRICE = Decimal(1_000_000)


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
