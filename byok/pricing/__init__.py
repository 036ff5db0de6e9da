"""What a call costs: exact US dollars, or None when unknown.

`tokens` reads what was used, `rates` does the arithmetic, `listed` knows the public list prices, `dated` those that
are kept here, `lookup` which of them counts, `estimate` prices an answered call without asking the database.
"""

from byok.pricing.dated import dated_pricing, known_pricing
from byok.pricing.estimate import Estimate, FixedPrice, estimate, is_same_model
from byok.pricing.listed import list_pricing, price_version
from byok.pricing.lookup import calculate_cost, get_pricing, list_pricings
from byok.pricing.rates import Pricing, Rates, Tariff, Tier
from byok.pricing.tokens import TokenBuckets, read_tokens
from byok.providers import BATCH, STANDARD, Served

__all__ = [
    "BATCH",
    "STANDARD",
    "Estimate",
    "FixedPrice",
    "Pricing",
    "Rates",
    "Served",
    "Tariff",
    "Tier",
    "TokenBuckets",
    "calculate_cost",
    "dated_pricing",
    "estimate",
    "get_pricing",
    "is_same_model",
    "known_pricing",
    "list_pricing",
    "list_pricings",
    "price_version",
    "read_tokens",
]
