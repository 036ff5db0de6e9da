"""What the cards say: figure, change with sign and word, and what is not in it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from usage.analytics import UsageTotals
from usage.analytics.contributions import Outcome
from usage.analytics.period import PeriodName, period_named
from usage.formats import percent
from usage.report.cards import Card, cost_note, main_cards, outcome_cards

PERIOD = period_named(PeriodName.THIS_MONTH, today=date(2026, 11, 26))
SINCE = "1–\N{WORD JOINER}26 October"


def cards(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Card]:
    return {card.label: card for card in main_cards(PERIOD, UsageTotals(**now), UsageTotals(**before))}


@pytest.mark.parametrize(
    ("now", "before", "change", "direction"),
    [
        (150, 100, f"+50%, up from 100 in {SINCE}", "up"),
        (75, 100, f"−25%, down from 100 in {SINCE}", "down"),
        (100, 100, f"As in {SINCE}", "flat"),
        (5, 0, f"None in {SINCE}", "flat"),
        (0, 100, f"−100%, down from 100 in {SINCE}", "down"),
        (2_400, 100, f"×24, up from 100 in {SINCE}", "up"),
    ],
)
def test_change(now: int, before: int, change: str, direction: str) -> None:
    card = cards({"requests": now, "successes": now}, {"requests": before, "successes": before})["Requests"]
    assert (card.change, card.direction) == (change, direction)


def test_cost_says_how_much_of_it_is_actual() -> None:
    totals = UsageTotals(requests=9, actual_cost=Decimal("9.7"), estimated_cost=Decimal("0.3"), unpriced_requests=2)
    assert cost_note(totals) == "97% actual, the rest estimated. 2 calls of unknown cost not in it."
    assert cost_note(UsageTotals(requests=1, actual_cost=Decimal(1))) == "100% actual."
    assert cost_note(UsageTotals(requests=1, unpriced_requests=1)) == "1 call of unknown cost not in it."
    assert cost_note(UsageTotals(requests=1)) == ""


def test_unknown_is_not_compared() -> None:
    unknown = {"requests": 1, "unpriced_requests": 1}
    known = {"requests": 1, "actual_cost": Decimal(1)}
    assert (cards(unknown, known)["Cost"].value, cards(unknown, known)["Cost"].change) == ("unknown", "")
    assert cards(known, unknown)["Cost"].change == f"Unknown in {SINCE}"
    assert cards(known, {})["Cost"].change == f"None in {SINCE}"


def test_success_rate_changes_in_points() -> None:
    card = cards({"requests": 200, "successes": 190}, {"requests": 100, "successes": 97})["Success rate"]
    assert (card.value, card.change, card.direction) == ("95%", f"−2.0 points, down from 97% in {SINCE}", "down")
    assert card.note == "10 of 200 failed."


def test_cost_per_outcome() -> None:
    totals = UsageTotals(requests=1, actual_cost=Decimal(3))
    asked = [Outcome("qualified lead", 4, "qualified"), Outcome("email sent", 0, "sent")]
    qualified, sent = outcome_cards(asked, totals)
    assert (qualified.label, qualified.value, qualified.note) == (
        "Cost per qualified lead", "$0.75", "$3.00 for 4 qualified.",
    )  # fmt: skip
    assert (sent.value, sent.note) == ("–", "None sent in this period.")
    assert outcome_cards(asked, UsageTotals(requests=1, unpriced_requests=1))[0].value == "unknown"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "unknown"), ("0", "0%"), ("0.0001", "<0.1%"), ("0.004", "0.4%"), ("0.97", "97%"), ("0.998", "99.8%"),
        ("0.99999", ">99.9%"), ("1", "100%"),
    ],
)  # fmt: skip
def test_only_all_is_all(share: str | None, said: str) -> None:
    assert percent(None if share is None else Decimal(share)) == said
