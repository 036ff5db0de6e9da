"""Up to four models side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from byok.catalog.cards import ModelCard
from byok.catalog.what_if import MonthUsage, WhatIf, what_if

MOST = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One model. `best`: the facts in which it alone, or with others, leads. `without`: the query of the others."""

    card: ModelCard
    what_if: WhatIf
    best: frozenset[str]
    without: str


# Whether less or more is better, and how the figure is read.
_FIGURES: dict[str, tuple[Callable[[Any], Any], Callable[[ModelCard, WhatIf], Decimal | int | None]]] = {
    "input_price": (min, lambda card, _: card.model.input_price),
    "output_price": (min, lambda card, _: card.model.output_price),
    "cache_read_price": (min, lambda card, _: card.model.cache_read_price),
    "context_window": (max, lambda card, _: card.model.context_window),
    "max_output": (max, lambda card, _: card.model.max_output),
    "would_cost": (min, lambda _, month: month.would_cost),
}


def side_by_side(cards: Sequence[ModelCard], usage: MonthUsage) -> list[Column]:
    """The columns, in the order of `cards`. A lead is only told where the figures differ."""
    months = [what_if(usage, kind=card.model.kind, prices=card.model) for card in cards]
    leads: list[set[str]] = [set() for _ in cards]
    for name, (best, read) in _FIGURES.items():
        figures = [read(card, month) for card, month in zip(cards, months, strict=True)]
        known = {figure for figure in figures if figure is not None}
        if len(known) > 1:
            for place, figure in enumerate(figures):
                if figure == best(known):
                    leads[place].add(name)
    references = [card.reference for card in cards]
    return [
        Column(card, month, frozenset(leads[place]), _query([*references[:place], *references[place + 1 :]]))
        for place, (card, month) in enumerate(zip(cards, months, strict=True))
    ]


def _query(references: list[str]) -> str:
    return urlencode([("m", reference) for reference in references])
