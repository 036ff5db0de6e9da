"""What an organisation's own tokens of a model cost at given prices: exact, or unknown. Pure but for one query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Sum
from django.utils import timezone

from usage.models import KeyOwner, UsageDaily

DAYS = 30
_MILLION = Decimal(1_000_000)

Prices = Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class TokenSums:
    """Disjoint sums of tokens."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    requests: int = 0

    def cost_at(self, prices: Prices) -> Decimal | None:
        """US dollars at `prices` (per million tokens, by column name); None where a price that is needed is unknown.

        Cached tokens cost what uncached ones do where no price of their own is known: their most, not their least.
        """
        plain = prices.get("input_price")
        parts = (
            (self.input, plain),
            (self.cache_read, _or(prices.get("cache_read_price"), plain)),
            (self.cache_write, _or(prices.get("cache_write_price"), plain)),
            (self.output, prices.get("output_price")),
        )
        total = Decimal(0)
        for tokens, price in parts:
            if tokens and price is None:
                return None
            total += tokens * (price or Decimal(0)) / _MILLION
        return total


def recent_tokens(organization_id: int, provider: str, model_id: str) -> TokenSums:
    """What the organisation used of a model on its own key over the last 30 UTC days."""
    since = timezone.now().date() - timedelta(days=DAYS)
    sums = UsageDaily.objects.filter(
        organization_id=organization_id,
        provider=provider,
        model=model_id,
        key_owner=KeyOwner.CUSTOMER,
        day__gte=since,
    ).aggregate(
        input=Sum("input_tokens"),
        cache_read=Sum("cached_input_tokens"),
        cache_write=Sum("cache_write_tokens"),
        output=Sum("output_tokens"),
        requests=Sum("requests"),
    )
    return TokenSums(**{name: value or 0 for name, value in sums.items()})


def _or(price: Decimal | None, instead: Decimal | None) -> Decimal | None:
    return instead if price is None else price
