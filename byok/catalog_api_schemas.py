"""The shapes of the JSON API of the catalog."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import WithJsonSchema

from byok.catalog.search import MAX_LIMIT, MODALITIES, TIERS, Sort
from byok.models import Capability, ModelKind
from byok.providers import REGISTRY
from leadagent.tenants.api_decimals import ExactDecimal


def _choice(values: Any, description: str) -> Any:
    """A query parameter that is read by `byok.catalog.read_filter`, shown in the documentation with what it may be."""
    schema = {"type": "string", "enum": [str(value) for value in values]}
    return Annotated[str, Field(description=description), WithJsonSchema(schema)]


_YesNo = WithJsonSchema({"type": "boolean"})


class ModelsQuery(Schema):
    """What narrows and orders the list. Read and checked by `byok.catalog.read_filter`."""

    q: Annotated[str, Field(description="Words that id, name or maker hold, all of them")] = ""
    provider: _choice(REGISTRY, "Where the model is called") = ""  # type: ignore[valid-type]
    vendor: Annotated[str, Field(description="Who made it, such as anthropic or meta-llama")] = ""
    tier: _choice(TIERS, "By price; fast is known to answer quickly") = ""  # type: ignore[valid-type]
    kind: _choice(ModelKind.values, "What it is for") = ""  # type: ignore[valid-type]
    modality: _choice(MODALITIES, "What it takes, and with -out what it makes") = ""  # type: ignore[valid-type]
    capability: Annotated[
        list[str],
        Field(description="What it can do; repeat it for several, all are needed"),
        WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(Capability.values)}}),
    ] = []
    min_context: Annotated[
        str, Field(description="At least so many tokens of context"), WithJsonSchema({"type": "integer", "minimum": 0})
    ] = ""
    max_price: Annotated[str, Field(description="At most so many US dollars per million input tokens")] = ""
    usable: Annotated[str, Field(description="Only models that the organisation's own keys reach"), _YesNo] = ""
    retired: Annotated[str, Field(description="Also models that answer no more"), _YesNo] = ""
    sort: _choice(list(Sort), "The order; popular if left out") = ""  # type: ignore[valid-type]
    limit: Annotated[
        str,
        Field(description="How many on a page, 50 if left out"),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
    ] = ""
    cursor: Annotated[str, Field(description="`next_cursor` of the page before")] = ""


class PricesOut(Schema):
    """List prices in US dollars per million tokens, as text; null where nobody tells. `cache_write` lasts 5 minutes."""

    input: ExactDecimal | None
    output: ExactDecimal | None
    cache_read: ExactDecimal | None
    cache_write: ExactDecimal | None
    cache_write_1h: ExactDecimal | None
    source: str


class ModelOut(Schema):
    """One model at one provider. `is_own`: fine-tuned in the organisation's own account."""

    id: str
    provider: str
    vendor: str
    name: str
    description: str
    kind: str
    context_window: int | None
    max_output: int | None
    input_modalities: list[str]
    output_modalities: list[str]
    capabilities: list[str]
    prices: PricesOut
    tier: str | None
    is_fast: bool
    badges: list[str]
    best_for: str
    is_own: bool
    released_on: date | None
    retired_on: date | None
    successor: str | None
    source: str
    checked_on: date


class ModelsOut(Schema):
    """`total`: how many match in all. `next_cursor`: null on the last page."""

    data: list[ModelOut]
    total: int
    next_cursor: str | None
