"""The shapes of the JSON API of usage. Sums of money are text, so that nothing is rounded."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from ninja import Field, Schema


class Sums(Schema):
    """Costs are US dollars. `cost` is what is known of it, null when nothing is; `unpriced_requests` are not in it."""

    requests: int
    successes: int
    failures: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: Annotated[int, Field(description="A part of output_tokens")]
    total_tokens: int
    cost: Decimal | None
    actual_cost: Annotated[Decimal, Field(description="As the providers reported it")]
    estimated_cost: Annotated[Decimal, Field(description="From list prices, where nothing was reported")]
    unpriced_requests: Annotated[int, Field(description="Neither reported nor listed: of unknown cost")]


class OfOperation(Sums):
    operation: str


class OfModel(Sums):
    provider: str
    model: str
    p50_ms: Annotated[int | None, Field(description="Half of the answered calls took no longer; within 9.1%")]
    p95_ms: Annotated[int | None, Field(description="95 in 100 of the answered calls took no longer; within 9.1%")]


class OfProvider(Sums):
    provider: str


class OfKeyOwner(Sums):
    key_owner: Annotated[str, Field(description="`customer` or `platform`")]


class OfDay(Sums):
    day: date


class OfError(Schema):
    error_code: str
    failures: int


class Provenance(Schema):
    """Where the costs come from. `actual_share` is the reported part of the known cost (0 to 1), null without cost."""

    actual_cost: Decimal
    estimated_cost: Decimal
    actual_share: Decimal | None
    unpriced_requests: int


class PeriodOut(Schema):
    """UTC days, both included."""

    period: str
    start: date
    end: date


class StatsOut(Schema):
    """Operations and providers: most expensive first. Models and errors: most frequent first. `by_day`: every day."""

    period: PeriodOut
    totals: Sums
    cost_provenance: Provenance
    by_operation: list[OfOperation]
    by_model: list[OfModel]
    by_provider: list[OfProvider]
    by_key_owner: list[OfKeyOwner]
    by_day: list[OfDay]
    by_error: list[OfError]
    top_models: list[OfModel]
