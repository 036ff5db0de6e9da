"""Citations in a report: `[3]` stands for the third thing that was read, and for nothing else. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_CITATION = re.compile(r"( ?)\[(\^?\d{1,4}(?:\s*[,;]\s*\^?\d{1,4})*)\](?:\([^()\s]*\))?")


@dataclass(frozen=True, slots=True)
class Cited:
    """`numbers` are those that the text cites, `dropped` counts citations of what was never read."""

    text: str
    numbers: list[int]
    dropped: int


def without_citations(text: str) -> str:
    """`text` for people who do not have the report: every citation is taken out, whatever its number."""
    return _CITATION.sub("", text)


def check_citations(text: str, known: Collection[int]) -> Cited:
    """Take out every citation whose number is not in `known`; lists (`[1, 9]`) keep what is left of them."""
    numbers: list[int] = []
    dropped = 0

    def checked(match: re.Match[str]) -> str:
        nonlocal dropped
        given = [int(number) for number in re.findall(r"\d+", match[2])]
        kept = [number for number in given if number in known]
        dropped += len(given) - len(kept)
        numbers.extend(number for number in kept if number not in numbers)
        return match[1] + "".join(f"[{number}]" for number in kept) if kept else ""

    return Cited(_CITATION.sub(checked, text), sorted(numbers), dropped)
