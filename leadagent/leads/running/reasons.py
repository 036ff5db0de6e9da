"""The reasons of a verdict: each with the passage of the report, or of the lead's own message, that it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from leadagent.leads.marking import text_of
from leadagent.leads.models import QuotedReason
from leadagent.leads.quotes import Passages
from leadagent.leads.rendering import report_html
from leadagent.leads.research.citations import without_citations
from leadagent.leads.text import one_line

MOST = 5
STATEMENT_LIMIT = 400
QUOTE_LIMIT = 500

_AGAIN = (
    "These quotes stand neither in the research report nor in the lead's message: {quotes}. Copy each quote word for "
    "word from one place, ten letters or more, without leaving anything out in its middle; choose another passage, or "
    "another reason, where there is none."
)
_NONE = f"Give one to {MOST} reasons, each with a quote of the research report or of the lead's message."


class Claimed(Protocol):
    """A reason as a model gives it; `source` is where it says that the quote stands."""

    @property
    def statement(self) -> str: ...
    @property
    def quote(self) -> str: ...
    @property
    def source(self) -> str: ...


class Evidence:
    """What a verdict may quote."""

    def __init__(self, report: str, message: str) -> None:
        # As people read it; then as it is written, for a quote across what only the page adds.
        self._texts = {
            "report": (Passages(text_of(report_html(report))), Passages(report)),
            "message": (Passages(message),),
        }

    def checked(self, claimed: Iterable[Claimed]) -> tuple[QuotedReason, ...]:
        """The reasons with their quotes as the text has them; what stands nowhere keeps its words and has no source."""
        return tuple(self._checked(reason) for reason in list(claimed)[:MOST])

    def complaint(self, claimed: Iterable[Claimed]) -> str:
        """What to tell the model about its reasons; empty where nothing is wrong with them."""
        reasons = self.checked(claimed)
        if not reasons:
            return _NONE
        missing = [f"“{reason.quote}”" for reason in reasons if not reason.is_found]
        return _AGAIN.format(quotes=", ".join(missing)) if missing else ""

    def _checked(self, reason: Claimed) -> QuotedReason:
        statement = one_line(without_citations(reason.statement), limit=STATEMENT_LIMIT)
        # Where the model says first: a sentence of the message often stands in the report as well.
        for source in sorted(self._texts, key=lambda name: name != reason.source):
            for text in self._texts[source]:
                if passage := text.passage(reason.quote):
                    return QuotedReason(statement, _shortened(passage), source)
        return QuotedReason(statement, _shortened(one_line(reason.quote, limit=2 * QUOTE_LIMIT)))


def _shortened(quote: str) -> str:
    """A long quote up to the last word that fits."""
    quote = one_line(quote, limit=10 * QUOTE_LIMIT)
    return quote if len(quote) <= QUOTE_LIMIT else f"{quote[:QUOTE_LIMIT].rpartition(' ')[0]} …"
