"""What the same work would have cost on the model that we recommend for it, at list prices and the own tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from byok.catalog.effect import TokenSums
from byok.catalog.recommendations import candidates_of, recommended_among
from byok.models import CatalogModel, PriceColumns
from usage.analytics import UsageStats, UsageTotals
from usage.analytics.contributions import CheaperModel
from usage.models import KeyOwner

# Less than a fifth, or than a cent, is not worth a change.
_WORTH_A_SHARE = Decimal("0.2")
_WORTH_DOLLARS = Decimal("0.01")
# Below these there is not much to save.
_MOST_EXPENSIVE = 10


def find_cheaper_models(stats: UsageStats) -> Iterator[CheaperModel]:
    """A hint per operation and model on the own key whose recommended model is clearly cheaper.

    Both sides are list prices for the tokens that were used, so that the comparison is fair where the provider
    reports other sums. Work whose price is not listed gets no hint. One query.
    """
    own = [work for work in stats.by_work if work.key_owner == KeyOwner.CUSTOMER][:_MOST_EXPENSIVE]
    by_provider = _models_of(own)
    recommended = {
        (provider, line.operation): line
        for provider, models in by_provider.items()
        # What was used is not recommended for having been used.
        for line in recommended_among(
            provider, (row for name, row in models.items() if name in candidates_of(provider))
        )
    }
    for work in own:
        line, models = recommended.get((work.provider, work.operation)), by_provider[work.provider]
        if line is None:
            continue
        now, then = list_cost(work, models.get(work.model)), list_cost(work, models.get(line.option.id))
        if now is None or then is None or now - then < max(_WORTH_DOLLARS, now * _WORTH_A_SHARE):
            continue
        yield CheaperModel(work.operation, work.model, line.option.id, line.reason, now, then)


def _models_of(own: Sequence[UsageTotals]) -> dict[str, dict[str, CatalogModel]]:
    """By provider and name, what was used and what could be recommended for it. One query."""
    providers = {work.provider for work in own}
    names = {work.model for work in own}.union(*(candidates_of(provider) for provider in providers))
    found: dict[str, dict[str, CatalogModel]] = {provider: {} for provider in providers}
    for row in CatalogModel.objects.filter(organization=None, route__in=providers, model_id__in=names):
        found[row.route][row.model_id] = row
    return found


def list_cost(work: UsageTotals, model: CatalogModel | None) -> Decimal | None:
    """US dollars for this work's tokens; None where a price that is needed is not listed."""
    if model is None:
        return None
    return TokenSums.of(work).cost_at({name: getattr(model, name) for name in PriceColumns.PRICES})
