"""Cutting a text into passages along its structure. Pure.

A passage is a slice of the text of at most 1,600 characters (about 400 tokens of English). A heading
begins a new one; below it blocks are put together as long as they fit, and a block that does not
fit is parted at items, rows, sentences, words, in this order. Where a section goes on, its next
passage begins with up to 200 characters of the one before; a table's next part with its head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leadagent.leads.knowledge.structure import Block, blocks_of

# All in characters.
PASSAGE = 1600
OVERLAP = 200
TABLE_HEAD = 400
# So much of a passage is always its own: a block up to this size is never parted.
_ROOM = PASSAGE - OVERLAP - TABLE_HEAD
# Into slices of this size a larger one is parted, so that they fill passages well.
_SLICE = 350
HEADING = 200

_SENTENCE_END = re.compile(r"(?<=[.!?:;…。！？])[\"'”’)\]]*\s+|\n")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of the text `content`.

    `start` to `end` is what no other passage has as its own; `begins` is at most `start` and
    where the overlap begins. `headings` are those it stands under, outermost first. `table_head` stands
    before a table's later part.
    """

    position: int
    begins: int
    start: int
    end: int
    headings: tuple[str, ...]
    table_head: str = ""

    def text(self, content: str) -> str:
        """The passage as it is stored, shown and embedded."""
        return self.table_head + content[self.begins : self.end].strip("\n").rstrip()


@dataclass(slots=True)
class _Open:
    """The passage that is being filled."""

    start: int
    end: int
    continues: bool
    table_head: str = ""
    only_headings: bool = False


@dataclass(frozen=True, slots=True)
class _Atom:
    """A slice that is not parted further. `table_head` is needed where it begins a passage."""

    start: int
    end: int
    table_head: str = ""


def cut(content: str) -> list[Piece]:
    """The passages of `content` in their order. Together they have every character that is not blank."""
    pieces: list[Piece] = []
    path: list[tuple[int, str]] = []
    section: list[Block] = []
    for block in blocks_of(content):
        if block.kind != "heading":
            section.append(block)
            continue
        # Headings in a row, without text between, open one passage together.
        if any(one.kind != "heading" for one in section):
            pieces += _pieces_of(content, section, path, len(pieces))
            section = []
        section.append(block)
        path = [(level, words) for level, words in path if level < block.level]
        path.append((block.level, block.heading[:HEADING]))
    if section:
        pieces += _pieces_of(content, section, path, len(pieces))
    return pieces


def _pieces_of(content: str, section: list[Block], path: list[tuple[int, str]], position: int) -> list[Piece]:
    """The passages of one section."""
    headings = tuple(words for _, words in path if words)
    made: list[Piece] = []
    first = section[0].start
    for opened in _fill([atom for block in section for atom in _atoms(content, block)]):
        if not content[opened.start : opened.end].strip():
            continue
        begins = opened.start
        if opened.continues and not opened.table_head:
            begins = _overlap_begins(content, opened.start, first)
        made.append(Piece(position + len(made), begins, opened.start, opened.end, headings, opened.table_head))
    return made


def _fill(atoms: Sequence[_Atom]) -> Iterator[_Open]:
    """Put atoms together as long as they fit."""
    opened: _Open | None = None
    for atom in atoms:
        limit = PASSAGE - (len(opened.table_head) + OVERLAP if opened and opened.continues else 0)
        if opened is not None and atom.end - opened.start <= limit:
            opened.end = atom.end
            continue
        if opened is not None:
            yield opened
        opened = _Open(atom.start, atom.end, opened is not None, atom.table_head if opened is not None else "")
    if opened is not None:
        yield opened


def _atoms(content: str, block: Block) -> Iterator[_Atom]:
    """The block whole where it fits, else parted."""
    if block.end - block.start <= _ROOM:
        yield _Atom(block.start, block.end, _table_head(content, block))
        return
    head = _table_head(content, block)
    bounds = [*block.parts, block.end]
    for number, start in enumerate(bounds[:-1]):
        # The head's own rows do not need it once more.
        before = head if number > 0 else ""
        for small_start, small_end in _small(content, start, bounds[number + 1]):
            yield _Atom(small_start, small_end, before)


def _table_head(content: str, block: Block) -> str:
    """The first row of a table with the line below it, if that is short enough to be repeated."""
    if block.kind != "table" or len(block.parts) < 2:
        return ""
    head = content[block.start : block.parts[1]]
    return head if len(head) <= TABLE_HEAD else ""


def _small(content: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Slices of at most `_SLICE` characters, cut at the last good place in their second half."""
    while end - start > _SLICE:
        at = _last_match(_SENTENCE_END, content, start + _SLICE // 2, start + _SLICE)
        at = at or _last_match(_SPACE, content, start + _SLICE // 2, start + _SLICE) or start + _SLICE
        yield start, at
        start = at
    if end > start:
        yield start, end


def _last_match(pattern: re.Pattern[str], content: str, start: int, end: int) -> int:
    """Where the last match within the bounds ends; 0 without one."""
    last = 0
    for match in pattern.finditer(content, start, end):
        last = match.end()
    return last


def _overlap_begins(content: str, start: int, first: int) -> int:
    """Where the repeated end of the passage before begins: at a sentence, or else a word, within the section."""
    earliest = max(first, start - OVERLAP)
    for pattern in (_SENTENCE_END, _SPACE):
        found = pattern.search(content, earliest, start)
        if found and found.end() < start:
            return found.end()
    return start
