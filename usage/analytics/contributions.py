"""What apps above this one have to say on the usage page: each registers a function when it starts.

`usage` knows neither leads nor prices; the page asks whoever does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TypeVar

from leadagent.tenants.models import Organization
from usage.analytics import UsageStats

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that the AI was used for, and how often in the period: 12 `done`, which cost so much per `one`."""

    one: str
    count: int
    done: str


@dataclass(frozen=True, slots=True)
class CheaperModel:
    """The same work by another model. Costs are US dollars at list prices for the period's own tokens.

    `reason`: why that model would do, as a part of a sentence.
    """

    operation: str
    model: str
    cheaper_model: str
    reason: str
    cost: Decimal
    cheaper_cost: Decimal

    @property
    def saved(self) -> Decimal:
        return self.cost - self.cheaper_cost


CountOutcomes = Callable[[Organization, date, date], Iterable[Outcome]]
FindCheaper = Callable[[UsageStats], Iterable[CheaperModel]]

_outcomes: list[CountOutcomes] = []
_cheaper: list[FindCheaper] = []


def count_outcomes_with(count: CountOutcomes) -> None:
    """Have `count(organization, start, end)` asked for the outcomes of half-open periods."""
    if count not in _outcomes:
        _outcomes.append(count)


def find_cheaper_models_with(find: FindCheaper) -> None:
    """Have `find(stats)` asked for cheaper models for a period's work."""
    if find not in _cheaper:
        _cheaper.append(find)


def outcomes(organization: Organization, start: date, end: date) -> list[Outcome]:
    """All outcomes of the period."""
    return _all(partial(count, organization, start, end) for count in _outcomes)


def cheaper_models(stats: UsageStats) -> list[CheaperModel]:
    """All hints on the period's work, the greatest saving first."""
    return sorted(_all(partial(find, stats) for find in _cheaper), key=lambda hint: -hint.saved)


def _all(asked: Iterable[Callable[[], Iterable[T]]]) -> list[T]:
    """What everybody has to say. Figures that somebody else's fault keeps away must not take the page along."""
    found: list[T] = []
    for ask in asked:
        try:
            found.extend(ask())
        except Exception:
            logger.exception("a part of the usage page is missing")
    return found
