"""Reports of models as HTML: a little Markdown, nothing that runs, loads or leads astray."""

import re
from collections.abc import Collection

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from leadagent.leads.research.shown import NOTHING_READ, ShownSources

_TAGS = {"p", "br", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote", "hr", "a"}
_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
_CITATION = re.compile(r"\[(\d{1,4})\]")


def report_html(text: str, sources: ShownSources = NOTHING_READ) -> SafeString:
    """`text` as safe HTML. Headings start at the third level, below those of the page; images are left out.

    Citations lead to their source on the page. Of the links that a model writes only those to pages that were
    read stay links: a hostile page could have it write any other.
    """
    tokens = _markdown.parse(text)
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    highest = min((_level(token) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(_level(token) - highest + 3, 6)}"
    read = set(sources.addresses.values())
    for token in tokens:
        if token.type == "inline" and token.children:
            token.children = _with_citations(_without_other_links(token.children, read), sources.numbers)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    safe = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"https", "http"},
        link_rel="noopener nofollow noreferrer",
    )
    return mark_safe(safe)  # noqa: S308 # nosec B308 B703 - cleaned on the line above


def _without_other_links(children: list[Token], read: Collection[str]) -> list[Token]:
    kept: list[Token] = []
    is_link = True
    for token in children:
        if token.type == "link_open":
            is_link = str(token.attrs.get("href", "")) in read
        if token.type in ("link_open", "link_close") and not is_link:
            if token.type == "link_close":
                kept.append(_text(" (a link to a page that was not read)"))
            continue
        kept.append(token)
    return kept


def _with_citations(children: list[Token], numbers: Collection[int]) -> list[Token]:
    kept: list[Token] = []
    for token in children:
        if token.type != "text":
            kept.append(token)
            continue
        end = 0
        for match in _CITATION.finditer(token.content):
            if int(match[1]) not in numbers:
                continue
            link = Token("link_open", "a", 1, attrs={"href": f"#source-{match[1]}"})
            kept += [_text(token.content[end : match.start()]), link, _text(match[0]), Token("link_close", "a", -1)]
            end = match.end()
        kept.append(_text(token.content[end:]))
    return kept


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _level(token: Token) -> int:
    return int(token.tag[1])
