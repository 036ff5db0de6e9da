"""What an organisation's own tokens of a model cost at given prices: exact, or unknown. Pure but for one query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from byok.pricing.rates import Rates
from byok.pricing.tokens import TokenBuckets
from usage.analytics import UsageTotals
from usage.models import KeyOwner, UsageDaily
from usage.utc_days import last_days

DAYS = 30

Prices = Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class TokenSums:
    """Disjoint sums of tokens, and the calls that they are of."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    requests: int = 0

    @classmethod
    def of(cls, used: UsageTotals) -> TokenSums:
        """The tokens of these calls."""
        return cls(
            used.input_tokens, used.cached_input_tokens, used.cache_write_tokens, used.output_tokens, used.requests
        )

    def cost_at(self, prices: Prices) -> Decimal | None:
        """US dollars at `prices` (per million tokens, by column name); None where a price that is needed is unknown.

        The sums do not say for how long caches were written: all count as the shorter kind.
        """
        rates = Rates(
            input=prices.get("input_price"),
            output=prices.get("output_price"),
            cache_read=prices.get("cache_read_price"),
            cache_write_5m=prices.get("cache_write_price"),
        )
        return rates.cost(
            TokenBuckets(
                uncached_input=self.input,
                cache_read=self.cache_read,
                cache_write_5m=self.cache_write,
                output=self.output,
            )
        )


def recent_tokens(organization_id: int, provider: str, model_id: str) -> TokenSums:
    """What the organisation used of a model on its own key over the last 30 UTC days."""
    start, end = last_days(DAYS)
    sums = UsageDaily.objects.filter(
        organization_id=organization_id,
        provider=provider,
        model=model_id,
        key_owner=KeyOwner.CUSTOMER,
        day__gte=start,
        day__lt=end,
    ).aggregate(
        input=Sum("input_tokens"),
        cache_read=Sum("cached_input_tokens"),
        cache_write=Sum("cache_write_tokens"),
        output=Sum("output_tokens"),
        requests=Sum("requests"),
    )
    return TokenSums(**{name: value or 0 for name, value in sums.items()})
