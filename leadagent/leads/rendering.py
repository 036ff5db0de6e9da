"""Reports of models as HTML: a little Markdown, nothing that runs, loads or leads astray."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TAGS = {"p", "br", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote", "hr", "a"}
_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")


def report_html(text: str) -> SafeString:
    """`text` as safe HTML. Headings start at the third level, below those of the page; images are left out."""
    tokens = _markdown.parse(text)
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    highest = min((_level(token) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(_level(token) - highest + 3, 6)}"
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    safe = nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto"})
    return mark_safe(safe)  # noqa: S308 # nosec B308 B703 - cleaned on the line above


def _level(token: Token) -> int:
    return int(token.tag[1])
