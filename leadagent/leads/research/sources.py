"""What the agent has read in one attempt, numbered, so that its report can cite it. Pure."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Literal

from leadagent.leads.text import one_line

Kind = Literal["lead", "crm", "knowledge", "search", "page", "tech"]


@dataclass(frozen=True, slots=True)
class Source:
    """`url` is a page's address, empty for what is not on the web; `ref` the id of a row of our own."""

    number: int
    kind: Kind
    title: str
    url: str = ""
    ref: str = ""


@dataclass(slots=True)
class Sources:
    """Grows while the agent works; the same thing read twice keeps its number."""

    _found: dict[tuple[str, str], Source] = field(default_factory=dict)
    # Tools work at the same time, each on a thread of its own.
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, kind: Kind, title: str, *, url: str = "", ref: str = "") -> int:
        """The number of what was read. A page that a search had named before keeps that number."""
        where = ("tech" if kind == "tech" else "web", url) if url else (kind, ref)
        title = one_line(title, limit=200) or url or kind
        with self._lock:
            known = self._found.get(where)
            if known is None:
                known = Source(len(self._found) + 1, kind, title, url, ref)
            elif kind == "page":
                known = replace(known, kind=kind, title=title)
            self._found[where] = known
        return known.number

    def all(self) -> list[Source]:
        """In the order of their numbers."""
        return sorted(self._found.values(), key=lambda source: source.number)
