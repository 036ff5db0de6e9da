"""The sources of a stored report, fit for a page: labels, and addresses that may be followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from leadagent import egress

_KINDS = {
    "lead": "Message of the lead",
    "crm": "Another lead",
    "knowledge": "Knowledge base",
    "search": "Search result, excerpt only",
    "page": "Web page",
    "tech": "Home page and DNS",
}
# Where rows of our own are shown.
_PLACES = {"crm": "leads:detail", "knowledge": "leads:knowledge_document"}


@dataclass(frozen=True, slots=True)
class ShownSource:
    """`href` is empty where there is nothing to follow; `is_outside` for pages of others, whose `host` is told."""

    number: int
    kind: str
    title: str
    href: str = ""
    is_outside: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class ShownSources:
    """Those that the report cites, and the others; both in the order of their numbers."""

    cited: list[ShownSource]
    others: list[ShownSource]
    dropped: int
    gaps: list[str]

    @property
    def addresses(self) -> dict[int, str]:
        """Number -> address of what was read on the web."""
        return {source.number: source.href for source in (*self.cited, *self.others) if source.is_outside}

    @property
    def numbers(self) -> set[int]:
        """Every number that a citation may name."""
        return {source.number for source in (*self.cited, *self.others)}


# For a text that rests on nothing we know of.
NOTHING_READ = ShownSources([], [], 0, [])


def shown_sources(result: Mapping[str, Any], org: str) -> ShownSources:
    """What the result of a research step says about its sources; `org` is the organisation's slug.

    Results of before there were sources have none.
    """
    shown = [_shown(source, org) for source in result.get("sources", []) if isinstance(source, dict)]
    cited = set(result.get("cited", []))
    return ShownSources(
        [source for source in shown if source.number in cited],
        [source for source in shown if source.number not in cited],
        int(result.get("dropped_citations", 0)),
        [str(gap) for gap in result.get("gaps", [])],
    )


def _shown(source: Mapping[str, Any], org: str) -> ShownSource:
    kind, title, url = str(source.get("kind", "")), str(source.get("title", "")), str(source.get("url", ""))
    number, label = int(source.get("number", 0)), _KINDS.get(kind, "Unknown")
    if url:
        try:
            target = egress.read_url(url)
        except egress.EgressRefused:
            return ShownSource(number, label, title)
        return ShownSource(number, label, title, url, True, target.host)
    return ShownSource(number, label, title, _place(kind, str(source.get("ref", "")), org))


def _place(kind: str, ref: str, org: str) -> str:
    if kind not in _PLACES:
        return ""
    try:
        return reverse(_PLACES[kind], args=[org, UUID(ref)])
    except ValueError:
        return ""
