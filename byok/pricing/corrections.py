"""Where the packaged list differs from what a provider had published at the time, by the day on which that ended. Pure.

Only what was looked up at the provider is here. Drop a line once genai-prices dates that price itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Correction:
    """Standard prices, by genai-prices' names, of one of its entries before `until`."""

    source: str
    listed_id: str
    until: datetime
    prices: Mapping[str, Decimal]


CORRECTIONS = (
    # A twentieth of the input price since 7 October 2026, a tenth before; the list knows the later price only.
    # https://platform.claude.com/docs/en/about-claude/pricing, as it stood on 28 September and on 8 October 2026.
    Correction(
        "anthropic", "claude-sonnet-5-5", datetime(2026, 10, 7, tzinfo=UTC), {"cache_read_mtok": Decimal("0.20")}
    ),
    # Cached input cost a quarter of the input price before the cut of 10 June 2025 as well, $2.50 of $10.
    # https://openai.com/api/pricing, as it stood in April 2025.
    Correction("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC), {"cache_read_mtok": Decimal("2.50")}),
)


def correction_of(source: str, listed_id: str, moment: datetime) -> Mapping[str, Decimal]:
    """The prices to put in place of the list's; empty where it is right."""
    for correction in CORRECTIONS:
        if (correction.source, correction.listed_id) == (source, listed_id) and moment < correction.until:
            return correction.prices
    return {}
