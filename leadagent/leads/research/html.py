"""A stranger's HTML as a tree: lxml behind a few typed questions, so that nobody else handles its untyped objects."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urljoin

from leadagent import egress
from leadagent.leads.text import one_line

_MOST_LINKS = 400
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


def is_html(page: egress.Page) -> bool:
    """Whether a page says that it is HTML."""
    return page.content_type in _HTML_TYPES


def decoded(page: egress.Page) -> str:
    """The page's text in the character set that it names; UTF-8 where that is none."""
    try:
        return page.body.decode(page.charset or "utf-8", errors="replace")
    except LookupError:
        return page.body.decode("utf-8", errors="replace")


def title_of(page: egress.Page) -> str:
    """What stands in the page's title, on one line; empty without one."""
    tree = _tree(page)
    return one_line(str(tree.findtext(".//title") or ""), limit=200) if tree is not None else ""


def links_of(page: egress.Page) -> list[str]:
    """Where the page leads, as absolute addresses in their order."""
    found = []
    for href in _attributes(page, "//a/@href")[:_MOST_LINKS]:
        try:
            found.append(urljoin(page.url, href.strip()))
        except ValueError:
            continue
    return found


def generators_of(page: egress.Page) -> list[str]:
    """Which programs say that they have made the page."""
    named = "//meta[translate(@name, 'GENRATO', 'genrato')='generator']/@content"
    return [name for content in _attributes(page, named)[:3] if (name := one_line(content, limit=80))]


def plain_text(page: egress.Page) -> str:
    """Every text of the page, one piece a line, without scripts and styles."""
    tree = _tree(page)
    if tree is None:
        return ""
    pieces = tree.xpath(
        "//text()[not(ancestor::script or ancestor::style or ancestor::noscript or ancestor::template)]"
    )
    return "\n".join(line for line in (str(piece).strip() for piece in pieces) if line)


def _attributes(page: egress.Page, path: str) -> list[str]:
    tree = _tree(page)
    return [str(value) for value in cast("list[Any]", tree.xpath(path))] if tree is not None else []


def _tree(page: egress.Page) -> Any:
    """The page as lxml reads it; None for what it takes for no HTML at all."""
    from lxml import etree, html

    if not is_html(page):
        return None
    try:
        # As bytes: lxml refuses text that declares a character set of its own. It loads nothing that a page names.
        return html.fromstring(decoded(page).encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True))
    except (etree.LxmlError, ValueError, AssertionError):
        return None
