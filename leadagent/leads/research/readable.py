"""The text of a page that a person would read, its title, and where it leads."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from leadagent import egress
from leadagent.leads.research import html
from leadagent.leads.text import clean

logger = logging.getLogger(__name__)

_LONGEST_TEXT = 60_000


@dataclass(frozen=True, slots=True)
class Readable:
    """`links` are absolute addresses, in the order of the page."""

    title: str
    text: str
    links: list[str]


def readable(page: egress.Page) -> Readable:
    """What a page says. Never raises: of a page that no parser takes, nothing is left."""
    if not html.is_html(page):
        return Readable("", clean(html.decoded(page))[:_LONGEST_TEXT], [])
    text = _main_text(html.decoded(page)) or html.plain_text(page)
    return Readable(html.title_of(page), clean(text)[:_LONGEST_TEXT], html.links_of(page))


def _main_text(source: str) -> str:
    """Without menus, footers and the like; empty where that cannot be told apart."""
    from trafilatura import extract

    try:
        return extract(source, include_comments=False, include_tables=True, favor_recall=True) or ""
    except Exception as error:
        # A stranger's page may break any parser; its plain text is still there.
        logger.info("The main text of a page could not be told apart (%s)", type(error).__name__)
        return ""
