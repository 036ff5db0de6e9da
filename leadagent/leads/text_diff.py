"""What changed between two texts, word by word, for people to read. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORD = re.compile(r"\s+|[^\s]+")
# Beyond this a changed stretch is shown as a whole: comparing it word by word takes time that grows with its square.
_MOST_WORDS = 1_500


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is the same in both, only in the old one, or only in the new one."""

    kind: Literal["same", "gone", "new"]
    text: str


def compare(old: str, new: str) -> list[Piece]:
    """The pieces from which both texts can be put together: lines first, then the words of changed lines."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    pieces: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=True).get_opcodes():
        gone, came = "".join(before[i:j]), "".join(after[k:m])
        pieces += [Piece("same", gone)] if tag == "equal" else _words(gone, came)
    return list(_joined(pieces))


def _words(gone: str, came: str) -> Iterator[Piece]:
    old, new = _WORD.findall(gone), _WORD.findall(came)
    if not old or not new or max(len(old), len(new)) > _MOST_WORDS:
        yield from _changed(gone, came)
        return
    left, came_in = "", ""
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        before, after = "".join(old[i:j]), "".join(new[k:m])
        # Spaces between changed words belong to the change: phrases read better than single words.
        if tag == "equal" and not (before.isspace() and "\n" not in before and (left or came_in)):
            yield from _changed(left, came_in)
            yield Piece("same", before)
            left, came_in = "", ""
        else:
            left, came_in = left + before, came_in + after
    yield from _changed(left, came_in)


def _changed(gone: str, came: str) -> Iterator[Piece]:
    if gone:
        yield Piece("gone", gone)
    if came:
        yield Piece("new", came)


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece."""
    waiting: Piece | None = None
    for piece in pieces:
        if waiting is not None and waiting.kind == piece.kind:
            waiting = Piece(waiting.kind, waiting.text + piece.text)
            continue
        if waiting is not None:
            yield waiting
        waiting = piece
    if waiting is not None:
        yield waiting
