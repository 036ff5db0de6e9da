"""The reasons of a verdict, fit for a page: each with a link to where its quote stands there."""

from __future__ import annotations

from dataclasses import dataclass

from leadagent.leads.models import Qualification

_PLACES = {"report": "the report", "message": "the lead's message"}


@dataclass(frozen=True, slots=True)
class ShownReason:
    """`quote` and `place` ("the report") are empty where the model's quote stands nowhere."""

    statement: str
    quote: str = ""
    place: str = ""
    href: str = ""


def quotes_by_id(verdict: Qualification | None, source: str, *, prefix: str = "quote") -> dict[str, str]:
    """Id on the page -> quote, of those that stand in `source` (`report`, `message`)."""
    reasons = verdict.reasons if verdict is not None else ()
    return {f"{prefix}-{n}": reason.quote for n, reason in enumerate(reasons, start=1) if reason.source == source}


def shown_reasons(
    verdict: Qualification | None, marked: set[str], *, prefix: str = "quote", otherwise: dict[str, str]
) -> list[ShownReason]:
    """`marked`: the ids that the page has. `otherwise`: source -> where a link leads without one."""
    shown = []
    for n, reason in enumerate(verdict.reasons if verdict is not None else (), start=1):
        if not reason.is_found:
            shown.append(ShownReason(reason.statement))
            continue
        href = f"#{prefix}-{n}" if f"{prefix}-{n}" in marked else otherwise[reason.source]
        shown.append(ShownReason(reason.statement, reason.quote, _PLACES[reason.source], href))
    return shown
