"""What a model costs an organisation at a time, and what a call cost: the first price that is known counts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from byok.pricing.dated import dated_list_pricings, dated_pricing
from byok.pricing.listed import list_pricing
from byok.pricing.rates import Pricing
from byok.pricing.tokens import TokenBuckets
from byok.providers import STANDARD, Served
from leadagent.tenants.models import Organization


def get_pricing(
    provider: str, model: str, *, at: datetime | None = None, organization: Organization | None = None
) -> Pricing | None:
    """The prices of a model at a time (now by default): negotiated, else live list, else genai-prices; None if unknown.

    `model`: as the provider knows it. `organization`: whose negotiated prices count; leave it out for list prices
    and for calls on the platform's key. One query.
    """
    dated = dated_pricing(provider, model, at=at, organization=organization)
    return dated if dated is not None else list_pricing(provider, model, at=at)


def list_pricings(models: Collection[tuple[str, str]], *, at: datetime) -> dict[tuple[str, str], Pricing]:
    """The list prices of many models (provider, model): `get_pricing` without an organisation. One query."""
    dated = dated_list_pricings(models, at=at)
    found = {key: dated.get(key) or list_pricing(*key, at=at) for key in models}
    return {key: pricing for key, pricing in found.items() if pricing is not None}


def calculate_cost(
    provider: str,
    model: str,
    tokens: TokenBuckets,
    *,
    at: datetime | None = None,
    organization: Organization | None = None,
    served: Served = STANDARD,
) -> Decimal | None:
    """The cost of one call in US dollars, exact; None when a price that it needs is not known.

    `served`: `BATCH` and the like for calls outside of the standard tier. One query; where many calls are priced,
    take `get_pricing` once and its `cost` for each.
    """
    pricing = get_pricing(provider, model, at=at, organization=organization)
    return None if pricing is None else pricing.cost(tokens, served)
