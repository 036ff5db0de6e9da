"""The documents as data: their code blocks, and what they say in bold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.project.files import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text without the indent, and the heading it stands under."""

    document: str
    heading: str
    language: str
    text: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(document: Path) -> Iterator[Block]:
    """All fenced blocks of a document, in their order."""
    text = document.read_text()
    fences = list(_FENCE.finditer(text))
    # A line that begins with a number sign is a comment inside a block, and no heading.
    inside = [range(*fence.span()) for fence in fences]
    headings = [found for found in _HEADING.finditer(text) if not any(found.start() in span for span in inside)]
    for fence in fences:
        indent, language, body = fence.groups()
        above = [found[1] for found in headings if found.start() < fence.start()]
        plain = "\n".join(line.removeprefix(indent) for line in body.splitlines())
        line = text.count("\n", 0, fence.start()) + 1
        yield Block(str(document.relative_to(ROOT)), above[-1] if above else "", language, plain, line)
