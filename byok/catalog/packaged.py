"""The catalog that comes with the product: facts from `data/models.json`, today's list prices from genai-prices.

`scripts/build_catalog` makes the file and names its sources.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byok.catalog.listing import ListedModel
from byok.catalog.named import named_models
from byok.models.prices import as_stored
from byok.pricing import price_version
from byok.providers import REGISTRY

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

FILE = Path(__file__).parent / "data" / "models.json"
SOURCE = "packaged"

# Column of ours -> price of genai-prices.
_PRICES = {
    "input_price": "input_mtok",
    "output_price": "output_mtok",
    "cache_read_price": "cache_read_mtok",
    "cache_write_price": "cache_write_mtok",
    "cache_write_1h_price": "cache_write_1h_mtok",
}


@dataclass(frozen=True, slots=True)
class Packaged:
    """All models of the file. `etag` changes with the file, with the price list, and with the day prices change on."""

    models: list[ListedModel]
    etag: str


def read_packaged(*, at: datetime | None = None) -> Packaged:
    """Read the file and price its models as of `at` (now by default). Takes about a tenth of a second.

    Providers that the file knows nothing of bring the few models that their own files name.
    """
    raw = FILE.read_bytes()
    content = json.loads(raw)
    checked = date.fromisoformat(content["about"]["checked"])
    now = at or datetime.now(UTC)
    models = [_listed(model, checked, now) for model in content["models"]]
    named = named_models(known={model.route for model in models}, checked=checked)
    models += [_with_prices(model, now) for model in named]
    prices = "\n".join(f"{model.route} {model.model_id} {sorted(model.prices.items())}" for model in models)
    return Packaged(models, hashlib.sha256(raw + prices.encode()).hexdigest())


def _listed(model: Mapping[str, Any], checked: date, at: datetime) -> ListedModel:
    prices = list_prices(model["route"], model["id"], kind=model["kind"], at=at)
    capabilities = model.get("capabilities")
    return ListedModel(
        route=model["route"],
        model_id=model["id"],
        vendor=model["vendor"],
        name=model["name"],
        kind=model["kind"],
        context_window=model.get("context"),
        max_output=model.get("max_output"),
        input_modalities=tuple(model.get("inputs", ())),
        output_modalities=tuple(model.get("outputs", ())),
        capabilities=None if capabilities is None else tuple(capabilities),
        released_on=_day(model.get("released")),
        retired_on=_day(model.get("retired")),
        successor=model.get("successor", ""),
        prices=prices,
        price_source=price_version() if prices else "",
        source=SOURCE,
        checked_on=checked,
    )


def _with_prices(model: ListedModel, at: datetime) -> ListedModel:
    prices = list_prices(REGISTRY[model.route].price_source, model.model_id, kind=model.kind, at=at)
    return replace(model, prices=prices, price_source=price_version() if prices else "")


def list_prices(route: str, model_id: str, *, kind: str, at: datetime) -> dict[str, Decimal]:
    """genai-prices' prices of a model at its first tier, by our columns; empty where it lists none."""
    if model_id.endswith(":free"):
        return {"input_price": Decimal(0), "output_price": Decimal(0)}
    price = _price(route, model_id, at)
    if price is None and route == "openrouter":
        # A reseller charges what the vendor does and is not always listed itself.
        vendor, _, plain = model_id.partition("/")
        price = _price(vendor, plain, at) if kind == "embedding" else None
    if price is None:
        return {}
    found = {column: _base(getattr(price, name)) for column, name in _PRICES.items()}
    if kind == "embedding":
        # It has no output that could cost something.
        found["output_price"] = None
    return {column: as_stored(value) for column, value in found.items() if value is not None}


def _price(source: str, model_id: str, at: datetime) -> ModelPrice | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        model = get_snapshot().find_provider(None, source, None).find_model(model_id)
    except LookupError:
        return None
    return model.get_prices(at) if model is not None else None


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price if price is None or isinstance(price, Decimal) else price.base


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text and re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
