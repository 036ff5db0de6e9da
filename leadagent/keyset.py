"""Places in lists that are sorted by a time and an id: page a thousand costs what page one does. Pure.

A row that comes or goes moves no other between pages.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from django.db.models import Q

Id = TypeVar("Id")


class BadCursor(ValueError):
    """A cursor that the list never gave out."""

    def __init__(self) -> None:
        super().__init__("This page address is damaged: start again from the first page.")


def cursor_of(moment: datetime, pk: object) -> str:
    """The place of the row with this time and id, as `read_cursor` reads it: `2026-11-26T10:00:00.000001Z_42`."""
    # Z for UTC: the plus sign of +00:00 would be a space in an address.
    return f"{moment.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{pk}"


def read_cursor(cursor: str, read_id: Callable[[str], Id]) -> tuple[datetime, Id]:
    """The time, in UTC, and the id of a place. Raises `BadCursor`; `read_id` raises `ValueError` for what is none."""
    moment, _, pk = cursor.partition("_")
    try:
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise BadCursor
        # Overflows where the moment has no date in UTC.
        return at.astimezone(UTC), read_id(pk)
    except (ValueError, OverflowError):
        raise BadCursor from None


def beyond(column: str, place: tuple[datetime, object], *, key: str = "pk", is_ascending: bool = False) -> Q:
    """The rows behind `place` in a list by `column`, then by id: newest first, or with `is_ascending` oldest first.

    `key`: the id's name where it is only a part of the primary key, as in a table that is partitioned.
    """
    moment, pk = place
    way = "gt" if is_ascending else "lt"
    # The first condition lets the index, and partitions by month, do the work.
    return Q(**{f"{column}__{way}e": moment}) & (Q(**{f"{column}__{way}": moment}) | Q(**{f"{key}__{way}": pk}))
