"""Sorting models into premium, balanced and cheap, and telling the fast ones. Pure.

The price is the list price of a typical call of ours, three parts input to one part output:

- **premium**: more than $2.00 per million such tokens, unless the name says that it is a small model
- **cheap**: less than $0.60
- **balanced**: everything between, and small models that cost more than $2.00

Small, and so fast, is a model whose family is called so (mini, nano, flash, haiku, lite, …) or whose name tells
fewer than ten billion parameters. Without a price there is no tier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from byok.models.catalog import ModelKind, Tier

PREMIUM_ABOVE = Decimal("2.00")
CHEAP_BELOW = Decimal("0.60")
SMALL_BELOW_BILLIONS = Decimal(10)

_SMALL_FAMILIES = frozenset(
    {"mini", "nano", "micro", "tiny", "small", "flash", "haiku", "lite", "fast", "instant", "luna", "mobile"}
)
# "70b", "8x7b", "0.6b"; not the active part of "a3b".
_PARAMETERS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b")


def blended_price(input_price: Decimal | None, output_price: Decimal | None) -> Decimal | None:
    """US dollars per million tokens, three parts input to one part output; None where one of them is not known."""
    if input_price is None or output_price is None:
        return None
    return (3 * input_price + output_price) / 4


def tier_of(model_id: str, prices: Mapping[str, Decimal | None], *, kind: str = ModelKind.CHAT) -> str:
    """A value of `Tier`, or an empty text without a price. `prices`: by column name, per million tokens.

    An embedding model has no output: three parts of its calls cost the input's price, and one nothing.
    """
    output = Decimal(0) if kind == ModelKind.EMBEDDING else prices.get("output_price")
    blended = blended_price(prices.get("input_price"), output)
    if blended is None:
        return ""
    if blended < CHEAP_BELOW:
        return Tier.CHEAP.value
    if blended > PREMIUM_ABOVE and not is_small(model_id):
        return Tier.PREMIUM.value
    return Tier.BALANCED.value


def is_small(model_id: str) -> bool:
    """Whether the name tells of a small model; those answer fast."""
    words = re.split(r"[-/:_.]", model_id.lower())
    if _SMALL_FAMILIES.intersection(words):
        return True
    sizes = [
        _billions(match) for word in re.split(r"[-/:_]", model_id.lower()) if (match := _PARAMETERS.fullmatch(word))
    ]
    return bool(sizes) and max(sizes) < SMALL_BELOW_BILLIONS


def _billions(match: re.Match[str]) -> Decimal:
    return Decimal(match.group(1) or 1) * Decimal(match.group(2))
