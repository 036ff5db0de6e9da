"""What the same work would have cost on the model that we recommend for it, at list prices and the own tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from django.utils import timezone

from byok.pricing import Pricing, get_pricing
from byok.recommendations import recommended_models
from usage.analytics import UsageStats, UsageTotals
from usage.contributions import CheaperModel
from usage.models import KeyOwner

_MILLION = Decimal(1_000_000)
# Less than a fifth, or than a cent, is not worth a change.
_WORTH_A_SHARE = Decimal("0.2")
_WORTH_DOLLARS = Decimal("0.01")
# Below these there is not much to save.
_MOST_EXPENSIVE = 10


def find_cheaper_models(stats: UsageStats) -> Iterator[CheaperModel]:
    """A hint per operation and model on the own key whose recommended model is clearly cheaper.

    Both sides are list prices for the tokens that were used, so that the comparison is fair where the provider
    reports other sums. Work whose price is not listed gets no hint.
    """
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    own = [work for work in stats.by_work if work.key_owner == KeyOwner.CUSTOMER]
    for work in own[:_MOST_EXPENSIVE]:
        for recommended in recommended_models(work.provider):
            if recommended.operation != work.operation or recommended.option.id == work.model:
                continue
            now = list_cost(work, _prices(work.provider, work.model, hour))
            then = list_cost(work, _prices(work.provider, recommended.option.id, hour))
            if now is None or then is None or now - then < max(_WORTH_DOLLARS, now * _WORTH_A_SHARE):
                continue
            yield CheaperModel(work.operation, work.model, recommended.option.id, recommended.reason, now, then)


@lru_cache(maxsize=1024)
def _prices(provider: str, model: str, hour: datetime) -> Pricing | None:
    """The prices, looked up once an hour: that takes milliseconds, and the page asks for many."""
    return get_pricing(provider, model, at=hour)


def list_cost(work: UsageTotals, prices: Pricing | None) -> Decimal | None:
    """US dollars at the first tier; None where a price that is needed is not listed.

    Cached tokens of a model without a price of their own are paid as input, as providers do.
    """
    if prices is None or prices.input is None:
        return None
    output = Decimal(0) if prices.output is None else prices.output
    if work.output_tokens and prices.output is None:
        return None
    read = prices.input if prices.cache_read is None else prices.cache_read
    write = prices.input if prices.cache_write is None else prices.cache_write
    cost = (
        work.input_tokens * prices.input
        + work.cached_input_tokens * read
        + work.cache_write_tokens * write
        + work.output_tokens * output
    )
    return cost / _MILLION
