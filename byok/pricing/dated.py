"""Prices that are kept here with the moment from which they count: negotiated ones, and lists as they were read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db.models import Q
from django.utils import timezone

from byok.config import heard
from byok.models import DatedPrice
from byok.models.prices import PRICE_DECIMALS
from byok.pricing.listed import list_pricing
from byok.pricing.rates import Pricing, Rates, Tariff, Tier
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization

# As SQL, because building it from Q objects costs more than asking it.
_NOT_OVER = """
SELECT * FROM byok_datedprice
WHERE route = %s AND model_id = %s AND (organization_id IS NULL OR organization_id = %s)
    AND (effective_until IS NULL OR effective_until > %s)
"""
_SMALLEST = Decimal(1).scaleb(-PRICE_DECIMALS)


def dated_pricing(
    provider: str, model: str, *, at: datetime | None = None, organization: Organization | None = None
) -> Pricing | None:
    """What `organization` negotiated for the model, else its list price as it was read; None without either at `at`.

    Of several rows in force the one that began last counts. One query.
    """
    moment = at or timezone.now()
    return _pick(_not_over(provider, model, organization.pk if organization else None, moment), moment)


def known_pricing(provider: str, model: str, *, organization_id: int | None) -> Pricing | None:
    """As `dated_pricing` of this moment. No query while nothing changes: see `byok.config.heard`.

    Leave out `organization_id` for calls that are not on its own key.
    """
    now = timezone.now()
    rows = heard.recall(organization_id, (provider, model), partial(_not_over, provider, model, organization_id, now))
    return _pick(rows, now)


def _not_over(provider: str, model: str, organization_id: int | None, at: datetime) -> tuple[DatedPrice, ...]:
    return tuple(DatedPrice.objects.raw(_NOT_OVER, [provider, model, organization_id, at]))


def _pick(rows: Iterable[DatedPrice], at: datetime) -> Pricing | None:
    in_force = [
        row for row in rows if row.effective_from <= at and (row.effective_until is None or row.effective_until > at)
    ]
    if not in_force:
        return None
    # What is negotiated stands before any list.
    return pricing_of(max(in_force, key=lambda row: (row.organization_id is not None, row.effective_from)), at=at)


def dated_list_pricings(models: Collection[tuple[str, str]], *, at: datetime) -> dict[tuple[str, str], Pricing]:
    """List prices as they were read, of many models (provider, model) at once. One query."""
    in_force = Q(effective_until=None) | Q(effective_until__gt=at)
    rows = DatedPrice.objects.filter(
        in_force, organization=None, model_id__in={model for _, model in models}, effective_from__lte=at
    ).order_by("effective_from")
    # The one that began last counts.
    newest = {(row.route, row.model_id): row for row in rows}
    return {key: pricing_of(newest[key], at=at) for key in models if key in newest}


def pricing_of(row: DatedPrice, *, at: datetime) -> Pricing:
    """A row as prices, completed where the provider publishes how a rate follows from another one.

    Above the first length at which the public list has other prices, a list that was read live says nothing (it
    holds one price); a negotiated price counts for prompts of every length. Neither tells of batch and the like.
    """
    listed = list_pricing(row.route, row.model_id, at=at)
    rates = _completed(_rates_of(row), listed.standard.base if listed else None, row.route)
    if row.organization_id is not None:
        source = f"negotiated {row.pk}, from {row.effective_from:%Y-%m-%d}"
        return Pricing("negotiated", source, row.effective_from, Tariff(rates))
    tiers = listed.standard.tiers[:1] if listed else ()
    tariff = Tariff(rates, tuple(Tier(tier.above, Rates()) for tier in tiers))
    return Pricing("live", row.source, row.effective_from, tariff)


def _rates_of(row: DatedPrice) -> Rates:
    return Rates(
        input=row.input_price,
        output=row.output_price,
        cache_read=row.cache_read_price,
        cache_write_5m=row.cache_write_price,
        cache_write_1h=row.cache_write_1h_price,
    )


def _completed(rates: Rates, listed: Rates | None, provider: str) -> Rates:
    """Fill in cache prices by the provider's published rules; what no rule gives stays unknown."""
    entry = REGISTRY.get(provider)
    if entry is None or listed is None or rates.input is None:
        return rates
    if entry.cache_follows_input and listed.input:
        return replace(
            rates,
            cache_read=_following(rates.cache_read, listed.cache_read, rates.input, listed.input),
            cache_write_5m=_following(rates.cache_write_5m, listed.cache_write_5m, rates.input, listed.input),
            cache_write_1h=_following(rates.cache_write_1h, listed.cache_write_1h, rates.input, listed.input),
        )
    if entry.cache_write_as_input and rates.cache_write_5m is None and listed.cache_write_5m == listed.input:
        return replace(rates, cache_write_5m=rates.input)
    return rates


def _following(
    own: Decimal | None, listed: Decimal | None, own_input: Decimal, listed_input: Decimal
) -> Decimal | None:
    """The list's multiple of the input price, applied to one's own input price."""
    if own is not None or listed is None:
        return own
    price = own_input * listed / listed_input
    rounded = price.quantize(_SMALLEST)
    return rounded if rounded != price else price.normalize()
