"""One organisation on one screen, for the person who has it on the phone.

The page and the list belong to this app; what the apps above know of an organisation, they add
from their own `admin.py` with `add_panel`, `add_column` and `add_filter`. Imports keep pointing one way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.db.models.expressions import Combinable

from leadagent.tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text. `tone`: good, warn, bad or empty. `act` is the address that a button posts to."""

    text: str
    url: str = ""
    tone: str = ""
    act: str = ""
    # What tells this button from its neighbours to somebody who hears it.
    act_on: str = ""


def cell(value: object, *, empty: str = "none") -> Cell:
    """Any value as a cell; times are UTC, what is missing reads `empty`."""
    if isinstance(value, Cell):
        return value
    if value is None or value == "":
        return Cell(empty)
    if isinstance(value, datetime):
        return Cell(f"{value:%Y-%m-%d %H:%M}")
    if isinstance(value, date):
        return Cell(value.isoformat())
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    return Cell(str(value))


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    # The sentence that stands in place of no rows.
    empty: str
    # Where the whole list is, narrowed to this organisation.
    url: str = ""
    # The first cell of each row names the row.
    named_rows: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the page: facts first, then tables."""

    title: str
    facts: Sequence[Fact] = ()
    tables: Sequence[Table] = ()


def facts(**values: object) -> list[Fact]:
    """`facts(free_tier="3 of 50")`: one fact "Free tier"."""
    return [Fact(name.replace("_", " ").capitalize(), cell(value)) for name, value in values.items()]


def row(*values: object) -> list[Cell]:
    return [cell(value) for value in values]


PanelMaker = Callable[[Organization], Panel]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list of organisations. The database works out `annotations`, made anew for every request."""

    title: str
    show: Callable[[Any], str]
    annotations: Callable[[], dict[str, Combinable]]
    order_by: str = ""

    def as_display(self) -> Callable[[Any], str | bool]:
        """What Django's `list_display` takes."""

        def column(organization: Any) -> str | bool:
            return self.show(organization)

        return admin.display(description=self.title, ordering=self.order_by or None)(column)


_panels: list[tuple[int, PanelMaker]] = []
_columns: list[tuple[int, Column, Callable[[Any], str | bool]]] = []
_filters: list[type[SimpleListFilter]] = []


def add_panel(position: int) -> Callable[[PanelMaker], PanelMaker]:
    """Decorate a function that makes a panel of every organisation's page; panels stand in order of `position`."""

    def add(maker: PanelMaker) -> PanelMaker:
        _panels.append((position, maker))
        return maker

    return add


def add_column(position: int, column: Column) -> None:
    """Add a column to the list of organisations."""
    _columns.append((position, column, column.as_display()))


def add_filter(list_filter: type[SimpleListFilter]) -> None:
    """Add a filter to the list of organisations."""
    _filters.append(list_filter)


def panels_of(organization: Organization) -> list[Panel]:
    return [maker(organization) for _, maker in sorted(_panels, key=lambda entry: entry[0])]


def columns() -> list[Callable[[Any], str | bool]]:
    return [display for _, _, display in sorted(_columns, key=lambda entry: entry[0])]


def filters() -> list[type[SimpleListFilter]]:
    return list(_filters)


def annotated(organizations: QuerySet[Organization]) -> QuerySet[Organization]:
    """The organisations with what the columns show."""
    for _, column, _ in _columns:
        organizations = organizations.annotate(**column.annotations())
    return organizations
