"""What the product shows: texts of templates, and of forms and models in Python, with gaps where values go."""

import ast
import html
import re
from functools import cache
from pathlib import Path

from tests.project.files import ROOT

_GAP = "\0"
_APPS = ("byok", "usage", "leadagent")
_VALUE = re.compile(r"\{\{.*?\}\}")
# A block that chooses between words inside a line also ends a label.
_TAG = re.compile(r"\{%.*?%\}|<[^>]+>", flags=re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}", flags=re.DOTALL)
_QUOTED = re.compile(r"\"([^\"{}<>]{2,120})\"")


@cache
def shown_texts() -> frozenset[str]:
    """Every text as it stands between two tags, or in quotes: typographic apostrophes made plain."""
    found: set[str] = set()
    for path in ROOT.glob("templates/**/*.html"):
        text = _COMMENT.sub("", path.read_text())
        # Parameters of components: `label="…" text="…"`.
        found |= {quoted for tag in re.findall(r"\{%.*?%\}", text, flags=re.DOTALL) for quoted in _QUOTED.findall(tag)}
        found |= set(_TAG.sub("\n", _VALUE.sub(_GAP, text)).replace("&nbsp;", " ").splitlines())
    for app in _APPS:
        for path in (ROOT / app).glob("**/*.py"):
            if "sandbox" not in path.parts and "migrations" not in path.parts:
                found |= set(_texts(path))
    return frozenset(plain(text) for text in found if re.search(r"[A-Za-z]{2}", text))


def _texts(path: Path) -> list[str]:
    """Constant texts and f-strings of a module, pieces in a row joined as Python does."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            pieces = [piece.value if isinstance(piece, ast.Constant) else _GAP for piece in node.values]
            texts.append("".join(str(piece) for piece in pieces))
    return texts


def plain(text: str) -> str:
    """With straight apostrophes, single spaces and without entities, as documents are typed."""
    text = html.unescape(text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.sub(r"\{\w+\}", _GAP, " ".join(text.split()))


def is_shown(label: str) -> bool:
    """Whether the product shows exactly this text somewhere, with any values in the gaps."""
    label = plain(label)
    return label in shown_texts() or any(
        # What is told has to be ours for the most part.
        2 * len(words) >= len(label) and pattern.fullmatch(label)
        for words, pattern in _patterns()
    )


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The words of each text with gaps, and what matches it with the gaps filled."""
    return [
        (text.replace(_GAP, ""), re.compile(".{1,60}?".join(re.escape(piece) for piece in text.split(_GAP))))
        for text in shown_texts()
        if _GAP in text
    ]
