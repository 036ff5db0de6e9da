"""The verdict on a lead, as a run stores it and as others are told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leadagent.leads.models.lead import Category


@dataclass(frozen=True, slots=True)
class QuotedReason:
    """One reason of a verdict, and the passage that it rests on.

    `source` is where the passage stands: `report` or `message`. Empty, it was found in neither, and `quote` is only
    what the model claimed.
    """

    statement: str
    quote: str
    source: str = ""

    @property
    def is_found(self) -> bool:
        """Whether `quote` is a quote."""
        return bool(self.source)

    def told(self) -> dict[str, str | None]:
        """As other systems get it: what is no quote is not told as one."""
        quote, source = (self.quote, self.source) if self.is_found else (None, None)
        return {"statement": self.statement, "quote": quote, "source": source}

    def as_json(self) -> dict[str, str]:
        """As the run keeps it."""
        return {"statement": self.statement, "quote": self.quote, "source": self.source}


@dataclass(frozen=True, slots=True)
class Qualification:
    """The verdict on a lead. `confidence` is between 0 and 1. Verdicts of before reasons had quotes have none."""

    category: Category
    reason: str
    confidence: float
    reasons: tuple[QuotedReason, ...] = ()

    def told(self) -> dict[str, Any]:
        """As other systems get it."""
        return {
            "category": self.category,
            "reason": self.reason,
            "confidence": self.confidence,
            "reasons": [reason.told() for reason in self.reasons],
        }
