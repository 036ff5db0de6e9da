"""What one answered call cost by our prices. Pure: every price was fetched before, or comes with the process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from byok.pricing.listed import list_pricing, price_version
from byok.pricing.rates import Pricing
from byok.pricing.tokens import TokenBuckets
from byok.providers import STANDARD, Served

# What providers add to a model's name to say which build of it answered: -2024-07-18, -20251001, @20250514, -0613.
_SNAPSHOT = re.compile(r"[-@](20\d{2}-\d{2}-\d{2}|20\d{6}|(0[1-9]|1[0-2])\d{2})")
# What a name that stands for the newest build ends with. Anthropic's -0 is the first of a generation.
_ALIAS = re.compile(r"-(latest|0)$")


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """A price that was looked up before the call, and the model that it is for."""

    model: str
    pricing: Pricing


@dataclass(frozen=True, slots=True)
class Estimate:
    """US dollars, None where unknown, and the price list that says so."""

    cost: Decimal | None
    version: str


def estimate(
    provider: str,
    tokens: TokenBuckets,
    *,
    asked: str,
    answered: str | None,
    served: Served = STANDARD,
    fixed: FixedPrice | None = None,
) -> Estimate:
    """Price a call by the model that answered it.

    The fixed price is for the model it was fetched for, whichever build of it answered; any other model that
    answered, or was asked in its place, is priced by the public list.
    """
    model = answered or asked
    if fixed is not None and is_same_model(asked, fixed.model) and is_same_model(model, fixed.model):
        return Estimate(fixed.pricing.cost(tokens, served), fixed.pricing.version(served))
    # A build's exact name is not always listed; another model's price says nothing.
    names = (model, asked) if is_same_model(model, asked) else (model,)
    for name in dict.fromkeys(names):
        if (listed := list_pricing(provider, name)) is not None:
            return Estimate(listed.cost(tokens, served), listed.version(served))
    return Estimate(None, price_version())


def is_same_model(answered: str, asked: str) -> bool:
    """Whether `answered` names `asked`, or a dated build of it."""
    answered, asked = answered.lower(), asked.lower()
    if answered == asked:
        return True
    stem = _ALIAS.sub("", asked)
    return answered.startswith(stem) and bool(_SNAPSHOT.fullmatch(answered[len(stem) :]))
