"""The dashboard's cards: one figure each, and how it changed against the days before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from usage.analytics import UsageTotals
from usage.analytics.contributions import Outcome
from usage.analytics.forecast import Forecast
from usage.analytics.period import Period
from usage.formats import cents, money, percent, tokens

# From here on all digits do not fit a card on a phone.
_LONG = 10_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """As `components/stat_card.html` takes it."""

    label: str
    value: str
    change: str = ""
    direction: str = "flat"
    note: str = ""


def main_cards(period: Period, now: UsageTotals, before: UsageTotals) -> list[Card]:
    """Cost, requests, tokens, success rate."""
    # The days stay in one piece where the line breaks.
    since = period.before_in_words.replace("–", "–\N{WORD JOINER}")
    cost_now = now.cost if now.requests else Decimal(0)
    return [
        Card("Cost", money(cost_now), *_change(cost_now, before.cost, since, money), note=cost_note(now)),
        Card("Requests", f"{now.requests:,}", *_change(now.requests, before.requests, since, "{:,}".format)),
        Card(
            "Tokens",
            f"{now.total_tokens:,}" if now.total_tokens < _LONG else tokens(now.total_tokens),
            *_change(now.total_tokens, before.total_tokens, since, "{:,}".format),
            note=_token_note(now),
        ),
        _success_card(now, before, since),
    ]


def cost_note(totals: UsageTotals) -> str:
    """How much of the known cost the providers reported themselves, and what is not in it."""
    sentences = []
    if totals.actual_share is not None:
        rest = ", the rest estimated" if totals.estimated_cost else ""
        sentences.append(f"{percent(totals.actual_share)} actual{rest}.")
    if totals.unpriced_requests:
        calls = "call" if totals.unpriced_requests == 1 else "calls"
        sentences.append(f"{totals.unpriced_requests:,} {calls} of unknown cost not in it.")
    return " ".join(sentences)


def forecast_card(forecast: Forecast | None, period: Period) -> Card:
    """What the running month is expected to cost."""
    label = f"Forecast to {period.last_day:%-d %B}"
    if forecast is None:
        return Card(label, "unknown", note="It needs a week of days with known cost.")
    method = "Each weekday as in the last four weeks." if forecast.by_weekday else "Each day as the average so far."
    return Card(label, money(cents(forecast.cost)), note=method)


def outcome_cards(outcomes: list[Outcome], totals: UsageTotals) -> list[Card]:
    """The period's known cost per outcome: all of it, since each lead is worked on before it is an outcome."""
    return [_outcome_card(outcome, totals) for outcome in outcomes]


def _outcome_card(outcome: Outcome, totals: UsageTotals) -> Card:
    label = f"Cost per {outcome.one}"
    if not outcome.count:
        return Card(label, "–", note=f"None {outcome.done} in this period.")
    if totals.cost is None:
        return Card(label, "unknown", note=f"{outcome.count:,} {outcome.done}; no price is known.")
    return Card(
        label, money(totals.cost / outcome.count), note=f"{money(totals.cost)} for {outcome.count:,} {outcome.done}."
    )


def _success_card(now: UsageTotals, before: UsageTotals, since: str) -> Card:
    rate, rate_before = now.success_rate, before.success_rate
    if rate is None:
        return Card("Success rate", "–", note="No calls in this period.")
    note = f"{now.failures:,} of {now.requests:,} failed." if now.failures else "Every call was answered."
    if rate_before is None:
        return Card("Success rate", percent(rate), f"No calls in {since}", note=note)
    points = round((rate - rate_before) * 100, 1)
    if not points:
        return Card("Success rate", percent(rate), f"As in {since}", note=note)
    sign, word, direction = ("+", "up", "up") if points > 0 else ("−", "down", "down")
    change = f"{sign}{abs(points)} points, {word} from {percent(rate_before)} in {since}"
    return Card("Success rate", percent(rate), change, direction, note)


def _token_note(totals: UsageTotals) -> str:
    if not totals.total_tokens:
        return ""
    said = f"{totals.all_input_tokens:,} in, {totals.output_tokens:,} out"
    return (
        f"{said}; {totals.cached_input_tokens:,} of those in from the cache."
        if totals.cached_input_tokens
        else f"{said}."
    )


def _change(
    now: Decimal | int | None, before: Decimal | int | None, since: str, write: Callable[[Any], str]
) -> tuple[str, str]:
    """The change in words, and its direction."""
    if now is None or before is None:
        return f"Unknown in {since}" if before is None else "", "flat"
    if not before:
        return ("" if not now else f"None in {since}"), "flat"
    if now == before:
        return f"As in {since}", "flat"
    change = (Decimal(now) - Decimal(before)) / Decimal(before)
    sign, word, direction = ("+", "up", "up") if change > 0 else ("−", "down", "down")
    # Beyond tenfold a percentage says nothing any more.
    size = f"×{Decimal(now) / Decimal(before):.0f}" if change >= 9 else f"{sign}{abs(change):.0%}"
    return f"{size}, {word} from {write(before)} in {since}", direction
