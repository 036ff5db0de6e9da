"""How a provider says that it served a call: what of it decides the price. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Served:
    """The tier that names the price table, and what the place of computing multiplies it by.

    Tiers are `standard`, `batch`, `flex`, `priority`, `fast`, or whatever else a provider names: what has no price
    table is unknown, never priced as standard.
    """

    tier: str = "standard"
    factor: Decimal = Decimal(1)


STANDARD = Served()
BATCH = Served("batch")
