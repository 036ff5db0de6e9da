"""Pages of the catalog by key: page ten costs what page one does, and a row that comes or goes moves no other.

A cursor names the sort and the last row's values in it. Every order ends with the row's own id,
so that equal values have a place too; what nobody tells comes last in either direction.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import BooleanField, Case, F, Q, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower

from byok.catalog.recommendations import recommended_ids
from byok.catalog.search import CatalogFilter, Sort, matching
from byok.models import CatalogModel
from byok.models.catalog import CatalogModelQuerySet
from byok.models.prices import PRICE_DECIMALS, PRICE_DIGITS
from leadagent.tenants.models import Organization

# How many models are called popular at most.
POPULAR = 10


class BadCursor(ValueError):
    """A cursor that this list, in this order, never gave out."""


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """One page of models. `next_cursor` is empty on the last one."""

    models: list[CatalogModel]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class _Key:
    """A part of an order: a column or annotation, its direction, and how its JSON value becomes one again."""

    name: str
    read: Callable[[Any], Any]
    descending: bool = False


def _text(value: Any) -> str:
    # PostgreSQL stores no NUL and refuses one in a question.
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def _int(value: Any) -> int:
    # What a 64 bit column can hold: a larger one is nobody's value.
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _date(value: Any) -> date:
    return date.fromisoformat(_text(value))


def _decimal(value: Any) -> Decimal:
    number = Decimal(_text(value))
    exponent = number.as_tuple().exponent
    # As many digits as the column has: Django refuses others with an error of its own.
    if (
        not isinstance(exponent, int)
        or exponent < -PRICE_DECIMALS
        or number.adjusted() >= PRICE_DIGITS - PRICE_DECIMALS
    ):
        raise ValueError
    return number


_ID = _Key("pk", _int)
_NAME = _Key("sort_name", _text)
_ORDERS = {
    Sort.POPULAR: (
        _Key("popularity", _int, descending=True),
        # As long as few models are called, what we recommend stands in front.
        _Key("is_recommended", _bool, descending=True),
        _Key("released_on", _date, descending=True),
        _NAME,
        _ID,
    ),
    Sort.PRICE: (_Key("input_price", _decimal), _Key("output_price", _decimal), _NAME, _ID),
    Sort.CONTEXT: (_Key("context_window", _int, descending=True), _NAME, _ID),
    Sort.NEWEST: (_Key("released_on", _date, descending=True), _NAME, _ID),
    Sort.NAME: (_NAME, _ID),
}


def catalog_page(
    organization: Organization, wanted: CatalogFilter, *, usable_with: frozenset[str] = frozenset()
) -> CatalogPage:
    """One page of the models that match, in one query. Raises `BadCursor`."""
    order = _ORDERS[wanted.sort]
    rows = with_marks(matching(organization, wanted, usable_with=usable_with)).annotate(sort_name=Lower("name"))
    if wanted.cursor:
        rows = rows.filter(_after(order, _values(wanted)))
    found = list(rows.order_by(*(_ordering(key) for key in order))[: wanted.limit + 1])
    has_more, found = len(found) > wanted.limit, found[: wanted.limit]
    return CatalogPage(found, _cursor_after(found[-1], wanted.sort) if has_more else "")


def with_marks(rows: CatalogModelQuerySet) -> CatalogModelQuerySet:
    """The rows with what their badges need: `is_recommended`, and `popular_from`.

    That one is the same for all: the popularity of the `POPULAR`th of all models, None where there are fewer.
    """
    ranked = CatalogModel.objects.filter(organization=None).order_by("-popularity").values("popularity")
    return rows.annotate(is_recommended=_is_recommended(), popular_from=Subquery(ranked[POPULAR - 1 : POPULAR]))


def _is_recommended() -> Case:
    whens = [
        # One whose last day is known is passed over, as `recommended_models` does.
        When(
            organization=None,
            route=provider,
            model_id__in=sorted(ids),
            retired_on=None,
            vanished_at=None,
            then=Value(True),
        )
        for provider, ids in recommended_ids().items()
    ]
    return Case(*whens, default=Value(False), output_field=BooleanField())


def _ordering(key: _Key) -> Combinable:
    column = F(key.name)
    return column.desc(nulls_last=True) if key.descending else column.asc(nulls_last=True)


def _after(order: tuple[_Key, ...], values: list[Any]) -> Q:
    """Behind these values: behind in the first key, or equal there and behind in the next, and so on."""
    behind, equal_so_far = Q(pk__in=[]), Q()
    for key, value in zip(order, values, strict=True):
        if value is None:
            # Nothing stands behind what nobody tells; what else nobody tells is equal.
            equal_so_far &= Q(**{f"{key.name}__isnull": True})
            continue
        further = Q(**{f"{key.name}__{'lt' if key.descending else 'gt'}": value})
        if key is not _ID:
            further |= Q(**{f"{key.name}__isnull": True})
        behind |= equal_so_far & further
        equal_so_far &= Q(**{key.name: value})
    return behind


def _cursor_after(row: CatalogModel, sort: Sort) -> str:
    values = [getattr(row, key.name) for key in _ORDERS[sort]]
    told = [str(value) if isinstance(value, Decimal | date) else value for value in values]
    packed = json.dumps([sort.value, *told], ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(packed).decode().rstrip("=")


def _values(wanted: CatalogFilter) -> list[Any]:
    order = _ORDERS[wanted.sort]
    try:
        packed = urlsafe_b64decode(wanted.cursor.encode("ascii") + b"=" * (-len(wanted.cursor) % 4))
        sort, *told = json.loads(packed)
        if sort != wanted.sort.value or len(told) != len(order):
            raise ValueError
        values = [None if value is None else key.read(value) for key, value in zip(order, told, strict=True)]
        if values[-1] is None:
            raise ValueError
    except (ValueError, TypeError, InvalidOperation, RecursionError):
        raise BadCursor("This place in the list is not known. Start at the first page.") from None
    return values
