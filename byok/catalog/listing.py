"""One model as a source tells it: the shape between reading a source and merging it into the catalog. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ListedModel:
    """What one source tells of one model; None, or empty, where it does not tell.

    `prices`: US dollars per million tokens by the column's name in `byok.models.PriceColumns`.
    With a `price_source` and without prices the source tells that there is no fixed price.
    `kind`, `capabilities`: values of `byok.models.ModelKind` and `Capability`.
    """

    route: str
    model_id: str
    vendor: str
    name: str
    kind: str
    description: str = ""
    context_window: int | None = None
    max_output: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    # None: the source does not tell; an empty tuple: it tells that there are none.
    capabilities: tuple[str, ...] | None = None
    released_on: date | None = None
    retired_on: date | None = None
    successor: str = ""
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    price_source: str = ""
    source: str = ""
    checked_on: date | None = None
