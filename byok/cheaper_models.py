"""What the same work would have cost on the model that we recommend for it, at list prices and the own tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from byok.catalog.effect import TokenSums
from byok.models import CatalogModel, PriceColumns
from byok.recommendations import recommended_models
from usage.analytics import UsageStats, UsageTotals
from usage.contributions import CheaperModel
from usage.models import KeyOwner

# Less than a fifth, or than a cent, is not worth a change.
_WORTH_A_SHARE = Decimal("0.2")
_WORTH_DOLLARS = Decimal("0.01")
# Below these there is not much to save.
_MOST_EXPENSIVE = 10

ModelKey = tuple[str, str]


def find_cheaper_models(stats: UsageStats) -> Iterator[CheaperModel]:
    """A hint per operation and model on the own key whose recommended model is clearly cheaper.

    Both sides are list prices for the tokens that were used, so that the comparison is fair where the provider
    reports other sums. Work whose price is not listed gets no hint. One query, and one per provider.
    """
    own = [work for work in stats.by_work if work.key_owner == KeyOwner.CUSTOMER][:_MOST_EXPENSIVE]
    recommended = {
        (provider, line.operation): line
        for provider in {work.provider for work in own}
        for line in recommended_models(provider)
    }
    pairs = [(work, line) for work in own if (line := recommended.get((work.provider, work.operation)))]
    prices = _list_prices(
        key for work, line in pairs for key in ((work.provider, work.model), (work.provider, line.option.id))
    )
    for work, line in pairs:
        now = list_cost(work, prices.get((work.provider, work.model)))
        then = list_cost(work, prices.get((work.provider, line.option.id)))
        if now is None or then is None or now - then < max(_WORTH_DOLLARS, now * _WORTH_A_SHARE):
            continue
        yield CheaperModel(work.operation, work.model, line.option.id, line.reason, now, then)


def list_cost(work: UsageTotals, prices: Mapping[str, Decimal | None] | None) -> Decimal | None:
    """US dollars for this work's tokens; None where a price that is needed is not listed."""
    if prices is None:
        return None
    tokens = TokenSums(work.input_tokens, work.cached_input_tokens, work.cache_write_tokens, work.output_tokens)
    return tokens.cost_at(prices)


def _list_prices(keys: Iterator[ModelKey]) -> dict[ModelKey, dict[str, Decimal | None]]:
    wanted = set(keys)
    rows = CatalogModel.objects.filter(organization=None, model_id__in={model_id for _, model_id in wanted})
    return {
        (row.route, row.model_id): {name: getattr(row, name) for name in PriceColumns.PRICES}
        for row in rows
        if (row.route, row.model_id) in wanted
    }
