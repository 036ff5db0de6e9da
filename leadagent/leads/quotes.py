"""Finding what somebody quotes in the text that it is said to come from. Pure.

A quote is the same passage whatever its whitespace, its kind of quotation marks and dashes, its capitals, its Markdown
and its citations (`[3]`). Every other character counts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

# Shorter passages stand everywhere and prove nothing. Letters of scripts that are written without spaces count double.
SHORTEST = 10

_CITATION = r"\s*\[\^?\d{1,4}(?:\s*[,;]\s*\^?\d{1,4})*\]"
# What a line of Markdown may begin with: a heading, a quotation, a list.
_LINE_START = r"^[ \t]*(?:(?:[-*+•>]|\#{1,6}|\d{1,3}[.)])[ \t]+)+"
_LINK_TARGET = r"(?<=\])\([^()\s]{1,2000}\)"
_DROPPED = re.compile(rf"{_CITATION}|{_LINE_START}|{_LINK_TARGET}|[*_`|\\\[\]]", re.MULTILINE)
_SAME = str.maketrans(dict.fromkeys("‐‑‒–—―−﹘﹣", "-") | dict.fromkeys("\"'“”„‟«»″‘’‚‛′‹›「」『』", "'"))
_EDGES = "'.,;:"


@dataclass(frozen=True, slots=True)
class _Squeezed:
    """`characters` are those that count; `places[i]` is where the i-th stands in the text."""

    characters: str
    places: list[int]


def _squeezed(text: str) -> _Squeezed:
    dropped = {place for match in _DROPPED.finditer(text) for place in range(*match.span())}
    characters: list[str] = []
    places: list[int] = []
    for place, written in enumerate(text):
        if place in dropped or written.isspace() or unicodedata.category(written) == "Cf":
            continue
        # Decomposed, so that it does not matter how an accent was written.
        for character in unicodedata.normalize("NFKD", written).translate(_SAME).casefold():
            if not character.isspace():
                characters.append(character)
                places.append(place)
    return _Squeezed("".join(characters), places)


class Passages:
    """A text in which passages are looked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._squeezed = _squeezed(text)

    def find(self, quote: str) -> tuple[int, int] | None:
        """Where `quote` stands in the text, from and to; None where it does not, or is too short to be one."""
        wanted = _squeezed(quote).characters.strip(_EDGES)
        if not _is_telling(wanted, quote):
            return None
        start = self._squeezed.characters.find(wanted)
        while start >= 0:
            first = self._squeezed.places[start]
            last = self._squeezed.places[start + len(wanted) - 1]
            if not _cuts_a_word(self._text, first) and not _cuts_a_word(self._text, last + 1):
                return first, last + 1
            start = self._squeezed.characters.find(wanted, start + 1)
        return None

    def passage(self, quote: str) -> str:
        """`quote` in the text's own words, on one line and without citations; empty where it is not found."""
        found = self.find(quote)
        return without_marks(self._text[slice(*found)]) if found else ""


def without_marks(passage: str) -> str:
    """A passage fit to be read by itself: no citations, no Markdown, one line."""
    return " ".join(_DROPPED.sub("", passage).split())


def _is_telling(wanted: str, quote: str) -> bool:
    letters = [character for character in wanted if character.isalnum()]
    wide = sum(map(_is_wide, letters))
    return len(letters) + wide >= SHORTEST and (wide > 0 or len(quote.split()) > 1)


def _cuts_a_word(text: str, place: int) -> bool:
    """Whether a cut before `place` goes through a word."""
    if not 0 < place < len(text):
        return False
    around = text[place - 1], text[place]
    return all(character.isalnum() for character in around) and not any(map(_is_wide, around))


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a text. `names` are the passages that it belongs to, `begins` those of them that begin with it."""

    text: str
    names: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()


def stretches(text: str, quotes: dict[str, str]) -> list[Stretch]:
    """`text` cut where passages begin and end; `quotes` is name -> quote. What is not found is marked nowhere."""
    passages = Passages(text)
    spans = {name: span for name, quote in quotes.items() if (span := passages.find(quote))}
    cuts = sorted({0, len(text)} | {end for span in spans.values() for end in span})
    found = []
    for start, end in pairwise(cuts):
        names = tuple(name for name, span in spans.items() if span[0] <= start < span[1])
        begins = tuple(name for name in names if spans[name][0] == start)
        found.append(Stretch(text[start:end], names, begins))
    return found
