"""The blocks of a text: headings, paragraphs, lists, tables, code. Pure.

Texts are read as Markdown, in which plain text is plain paragraphs. Only the lines count: every
block is a slice of the text, and together they are all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Block:
    """A slice of the text, in characters. `kind`: heading, paragraph, list, table or code.

    `parts` are where the block may be parted (items of a list, rows of a table), its own start first.
    `level` and `heading` are a heading's depth (1 to 6) and words.
    """

    start: int
    end: int
    kind: str
    parts: tuple[int, ...]
    level: int = 0
    heading: str = ""


@cache
def _parser() -> MarkdownIt:
    # Blocks only: what stands inside a line is left as it is.
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["block"])
    return parser


def blocks_of(text: str) -> list[Block]:
    """The blocks in their order. They touch each other; the first begins at 0 and the last ends with the text."""
    if not text.strip():
        return []
    offsets = _line_offsets(text)
    # A lone carriage return would be a line's end to the parser, a NUL nothing at all: here both are one character.
    tokens = _parser().parse(text.replace("\r", " ").replace("\0", " "))
    found = _found(tokens, offsets)
    if not found or found[0].start > 0:
        # A text may begin with what makes no block: blank lines, definitions of links.
        found.insert(0, Block(0, 0, "paragraph", (0,)))
    # What follows a block and makes none belongs to it.
    ends = [later.start for _, later in pairwise(found)] + [len(text)]
    return [
        Block(block.start, end, block.kind, block.parts, block.level, block.heading)
        for block, end in zip(found, ends, strict=True)
        if end > block.start
    ]


def _found(tokens: Sequence[Token], offsets: list[int]) -> list[Block]:
    blocks: list[Block] = []
    parts: list[int] = []
    for position, token in enumerate(tokens):
        if token.map is None:
            continue
        start = offsets[token.map[0]]
        if token.level == 0 and token.nesting >= 0:
            kind = _kind(token.type)
            heading = ""
            if kind == "heading":
                heading = " ".join(tokens[position + 1].content.split())
            # The list of parts grows while the block's own tokens follow.
            parts = [start]
            blocks.append(Block(start, start, kind, (), int(token.tag[1]) if kind == "heading" else 0, heading))
        elif token.type in ("list_item_open", "tr_open") and start > parts[-1]:
            parts.append(start)
        if blocks:
            last = blocks[-1]
            blocks[-1] = Block(last.start, last.end, last.kind, tuple(parts), last.level, last.heading)
    return blocks


def _kind(token: str) -> str:
    match token:
        case "heading_open":
            return "heading"
        case "bullet_list_open" | "ordered_list_open":
            return "list"
        case "table_open":
            return "table"
        case "fence" | "code_block":
            return "code"
        case _:
            return "paragraph"


def _line_offsets(text: str) -> list[int]:
    """Where each line begins, and the end of the text."""
    offsets = [0]
    at = text.find("\n")
    while at >= 0:
        offsets.append(at + 1)
        at = text.find("\n", at + 1)
    return [*offsets, len(text)]
