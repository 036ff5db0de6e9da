"""What an email says that nobody told the model: figures, prices, dates, addresses, names of products. Pure.

A draft's mentions are compared with those of its sources (see `mentions`). What can be read in two ways
counts as found if one of them is. This finds what is worth a look; it does not understand sentences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from leadagent.leads.emails.mentions import Kind, Mention, mentions, plain_words

# A longer text is checked up to here: it is nothing that a person would approve unread.
_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a text; `kind` names what in it was not found, and is empty for the rest."""

    text: str
    kind: str = ""


def not_found(text: str, sources: Iterable[str]) -> list[Mention]:
    """The mentions of `text` that stand in none of `sources`, in order."""
    known = _Known([source[:_LONGEST] for source in sources])
    return [mention for mention in mentions(text[:_LONGEST]) if not known.has(mention)]


def stretches(text: str, found: Iterable[Mention]) -> list[Stretch]:
    """`text` cut at its mentions, to be shown with marks."""
    parts, at = [], 0
    for mention in found:
        parts += [Stretch(text[at : mention.start]), Stretch(text[mention.start : mention.end], mention.kind)]
        at = mention.end
    parts.append(Stretch(text[at:]))
    return [part for part in parts if part.text]


class _Known:
    """What the sources say, ready to be asked."""

    def __init__(self, sources: list[str]) -> None:
        self.words: set[str] = set()
        self.readings: dict[Kind, set[object]] = {kind: set() for kind in Kind}
        self.hosts: set[str] = set()
        for source in sources:
            self.words |= plain_words(source)
            for mention in mentions(source, in_words=True):
                self.readings[mention.kind] |= mention.readings
                if mention.kind is Kind.ADDRESS:
                    self.hosts |= {str(each).partition("/")[0].rpartition("@")[2] for each in mention.readings}
        numbers = self.readings[Kind.FIGURE] | self.readings[Kind.PERCENTAGE]
        self.numbers = numbers | {price[0] for price in self.readings[Kind.PRICE] if isinstance(price, tuple)}
        # A year that is known as a date may be said as a number.
        dates = [each for each in self.readings[Kind.DATE] if isinstance(each, tuple)]
        self.numbers |= {Decimal(year) for year, *_ in dates if isinstance(year, int)}

    def has(self, mention: Mention) -> bool:
        match mention.kind:
            case Kind.NAME:
                return all(word in self.words for word in mention.readings)
            case Kind.FIGURE:
                return not self.numbers.isdisjoint(mention.readings)
            case Kind.DATE:
                return any(_is_told(wanted, told) for wanted in mention.readings for told in self.readings[Kind.DATE])
            case Kind.ADDRESS:
                return not (self.readings[Kind.ADDRESS] | self.hosts).isdisjoint(mention.readings)
        return not self.readings[mention.kind].isdisjoint(mention.readings)


def _is_told(wanted: object, told: object) -> bool:
    """Whether a date that is known says all that another says: 2026-03-03 says "3 March", not the other way round."""
    if not isinstance(wanted, tuple) or not isinstance(told, tuple):
        return wanted == told
    return all(part is None or part == known for part, known in zip(wanted, told, strict=True))
