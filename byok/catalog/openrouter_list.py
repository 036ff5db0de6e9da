"""OpenRouter's list of models as the catalog takes it: checked, capped, and never believed blindly.

https://openrouter.ai/docs/api-reference/list-available-models. Prices come as texts, US dollars per
token, of the cheapest host; "-1" stands for one that depends on the route.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from byok.catalog.fetching import ListUnavailable
from byok.catalog.listing import ListedModel
from byok.models import ModelKind
from byok.models.prices import as_stored
from byok.providers import REGISTRY

ROUTE = "openrouter"
MAX_MODELS = 5_000
_MILLION = Decimal(1_000_000)
# As much as the columns hold.
_MAX_PRICE = Decimal(10) ** 9
_MAX_TOKENS = 2**31 - 1
_MODALITIES = frozenset({"text", "image", "audio", "video", "file", "embeddings"})

_PRICES = {
    "prompt": "input_price",
    "completion": "output_price",
    "input_cache_read": "cache_read_price",
    "input_cache_write": "cache_write_price",
}


def _line(value: Any) -> Any:
    """Text without control characters, on one line."""
    if not isinstance(value, str):
        return value
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in value).split())


Line = Annotated[str, BeforeValidator(_line)]
Tokens = Annotated[int, Field(ge=1, le=_MAX_TOKENS)]


class _Architecture(BaseModel):
    input_modalities: list[str] = []
    output_modalities: list[str] = []


class _TopProvider(BaseModel):
    context_length: Tokens | None = None
    max_completion_tokens: Tokens | None = None


class _Entry(BaseModel):
    """What we read of an entry; everything else may be as it likes."""

    id: Annotated[Line, Field(min_length=3, max_length=200, pattern=r"^[~\w.-]+/[\w.:@+-]+$")]
    name: Line = ""
    description: Line = ""
    created: int | None = None
    context_length: Tokens | None = None
    architecture: _Architecture = _Architecture()
    pricing: dict[str, Any] = {}
    top_provider: _TopProvider = _TopProvider()
    supported_parameters: list[str] | None = None


class _Document(BaseModel):
    data: Annotated[list[Any], Field(max_length=MAX_MODELS)]


_entry = TypeAdapter(_Entry)


def read_list(body: bytes, *, today: date) -> tuple[list[ListedModel], int]:
    """The models in an answer of `/models` or `/embeddings/models`, and how many entries could not be read.

    Raises `ListUnavailable` for what is no such answer.
    """
    found: dict[str, ListedModel] = {}
    skipped = 0
    for entry in _entries(body):
        try:
            model = _listed(_entry.validate_python(entry), today)
            REGISTRY[ROUTE].check_model(model.model_id)
        except (ValidationError, ValueError):
            skipped += 1
        else:
            found[model.model_id] = model
    return list(found.values()), skipped


def names_in(body: bytes) -> frozenset[str]:
    """The ids of all entries of such an answer, those of odd ones too. Raises `ListUnavailable` as `read_list` does."""
    return frozenset(
        entry["id"] for entry in _entries(body) if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    )


def _entries(body: bytes) -> list[Any]:
    try:
        return _Document.model_validate_json(body).data
    except ValidationError:
        raise ListUnavailable("OpenRouter's answer is no list of models.") from None


def _listed(entry: _Entry, today: date) -> ListedModel:
    inputs = _known(entry.architecture.input_modalities)
    outputs = _known(entry.architecture.output_modalities)
    prices = _prices(entry.pricing)
    kind = _kind(entry.id, outputs)
    if kind == ModelKind.EMBEDDING and "input_price" in prices:
        prices["output_price"] = Decimal(0)
    # "Vendor: Model"; the vendor stands beside it on pages.
    name = entry.name.partition(": ")[2] or entry.name or entry.id
    return ListedModel(
        route=ROUTE,
        model_id=entry.id,
        vendor=entry.id.lstrip("~").partition("/")[0][:80],
        name=name[:200],
        kind=kind.value,
        description=entry.description[:1000],
        context_window=entry.context_length or entry.top_provider.context_length,
        max_output=None if kind == ModelKind.EMBEDDING else entry.top_provider.max_completion_tokens,
        input_modalities=inputs,
        output_modalities=outputs,
        capabilities=_capabilities(entry.supported_parameters, inputs),
        released_on=_day(entry.created, today),
        prices=prices,
        # With a source and without prices they are told to be unknown.
        price_source=f"{ROUTE} {today.isoformat()}" if entry.pricing else "",
        source=ROUTE,
        checked_on=today,
    )


def _known(modalities: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in modalities if name in _MODALITIES))


def _kind(model_id: str, outputs: tuple[str, ...]) -> ModelKind:
    if "embeddings" in outputs:
        return ModelKind.EMBEDDING
    if model_id.endswith(":batch") or (outputs and "text" not in outputs):
        return ModelKind.OTHER
    return ModelKind.CHAT


def _prices(pricing: dict[str, Any]) -> dict[str, Decimal]:
    found = {}
    for name, column in _PRICES.items():
        price = _per_million(pricing.get(name))
        if price is not None:
            found[column] = price
    return found


def _per_million(per_token: Any) -> Decimal | None:
    """US dollars per million tokens; None for what is no price: missing, negative, no number, or absurd."""
    if not isinstance(per_token, str) or len(per_token) > 40:
        return None
    try:
        price = Decimal(per_token) * _MILLION
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price < _MAX_PRICE:
        return None
    return as_stored(price)


def _capabilities(parameters: list[str] | None, inputs: tuple[str, ...]) -> tuple[str, ...] | None:
    if parameters is None:
        return None
    told = {
        "tools": "tools" in parameters,
        "structured_output": "structured_outputs" in parameters,
        "reasoning": "reasoning" in parameters,
        "vision": "image" in inputs,
    }
    return tuple(name for name, is_so in told.items() if is_so)


def _day(created: int | None, today: date) -> date | None:
    """The day of an epoch time; None for one that cannot be: before there were such models, or to come."""
    try:
        day = datetime.fromtimestamp(created, tz=UTC).date() if created else None
    except (OverflowError, OSError, ValueError):
        return None
    return day if day is not None and date(2018, 1, 1) <= day <= today else None
