"""Marking quoted passages in safe HTML: each gets a `<mark>` that a link can lead to, wherever elements cut it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from django.utils.html import escape, linebreaks
from django.utils.safestring import SafeString, mark_safe

from leadagent.leads.quotes import Stretch, stretches


class _Pieces(HTMLParser):
    """The tags and the texts of a piece of HTML, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        # (whether it is text, what it says)
        self.found: list[tuple[bool, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((False, self.get_starttag_text() or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.found.append((False, f"</{tag}>"))

    def handle_data(self, data: str) -> None:
        self.found.append((True, data))


def text_of(html: str) -> str:
    """What somebody reads of `html`."""
    return "".join(piece for is_text, piece in _Pieces(html).found if is_text)


def marked(html: SafeString, quotes: dict[str, str]) -> tuple[SafeString, set[str]]:
    """`html`, which must be well-formed, with the passages of `quotes` (id -> quote) marked; the ids it has now."""
    pieces = _Pieces(html).found
    cut = stretches("".join(piece for is_text, piece in pieces if is_text), quotes)
    around = iter(_cut_like(cut, [len(piece) for is_text, piece in pieces if is_text]))
    written = "".join("".join(map(_as_html, next(around))) if is_text else piece for is_text, piece in pieces)
    ids = {name for stretch in cut for name in stretch.begins}
    return mark_safe(written), ids  # noqa: S308 # nosec B308 B703 - its tags are those of `html`, its texts escaped


def marked_message(text: str, quotes: dict[str, str]) -> tuple[SafeString, set[str]]:
    """Somebody's own words in paragraphs, with the passages of `quotes` marked; the ids that it has now."""
    return marked(mark_safe(linebreaks(text, autoescape=True)), quotes)  # noqa: S308 # nosec B308 B703 - it is escaped


def _cut_like(cut: list[Stretch], lengths: list[int]) -> Iterator[list[Stretch]]:
    """The stretches of each text of the given lengths; one that runs over several is divided between them."""
    rest = [stretch for stretch in cut if stretch.text]
    for length in lengths:
        here: list[Stretch] = []
        left = length
        while left:
            first, rest = rest[0], rest[1:]
            if len(first.text) > left:
                rest.insert(0, Stretch(first.text[left:], first.names))
                first = Stretch(first.text[:left], first.names, first.begins)
            here.append(first)
            left -= len(first.text)
        yield here


def _as_html(stretch: Stretch) -> str:
    if not stretch.names or not stretch.text.strip():
        return escape(stretch.text)
    ids = [f' id="{escape(name)}"' for name in stretch.begins] or [""]
    return f"{''.join(f'<mark{each}>' for each in ids)}{escape(stretch.text)}{'</mark>' * len(ids)}"
