"""Rows of the catalog: one as a test wants it, or as many as a whole catalog has."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from byok.models import CatalogModel

CHECKED = date(2026, 11, 1)
VENDORS = ("openai", "anthropic", "google", "meta-llama", "mistralai", "deepseek", "qwen", "x-ai", "cohere")
_TIERS = ("premium", "balanced", "cheap")
_CONTEXTS = (8_192, 32_768, 128_000, 200_000, 400_000, 1_048_576, None)


def add_model(model_id: str = "openai/gpt-5", **fields: Any) -> CatalogModel:
    """One chat model of OpenRouter's with everything known, in place of a packaged one; `fields` say otherwise."""
    values = row_fields(model_id, **fields)
    CatalogModel.objects.filter(
        route=values["route"], model_id=model_id, organization=values.get("organization")
    ).delete()
    return CatalogModel.objects.create(**values)


def fill_catalog(count: int) -> list[CatalogModel]:
    """`count` different models: every vendor, tier and context, some without price, date or context."""
    rows = []
    for number in range(count):
        vendor = VENDORS[number % len(VENDORS)]
        # In steps, so that many rows share a price and a day.
        price = Decimal(number % 40) / 4
        rows.append(
            CatalogModel(
                **row_fields(
                    f"{vendor}/model-{number:04d}",
                    vendor=vendor,
                    name=f"{vendor.title()} Model {number:04d}",
                    description=f"The {number}th model. It does what such a model does, in {number % 7 + 2} languages. "
                    * 3,
                    kind="embedding" if number % 25 == 24 else "chat",
                    tier=_TIERS[number % 3],
                    is_fast=number % 11 == 0,
                    context_window=_CONTEXTS[number % len(_CONTEXTS)],
                    input_price=None if number % 13 == 12 else price,
                    output_price=None if number % 13 == 12 else price * 4,
                    capabilities=["tools", "reasoning", "vision"][: number % 4],
                    input_modalities=["text", "image"] if number % 2 else ["text"],
                    released_on=None if number % 17 == 16 else CHECKED - timedelta(days=number % 200),
                    popularity=max(0, 40 - number),
                )
            )
        )
    return CatalogModel.objects.bulk_create(rows)


def row_fields(model_id: str, **fields: Any) -> dict[str, Any]:
    """The columns of such a row."""
    return {
        "route": "openrouter",
        "model_id": model_id,
        "vendor": model_id.partition("/")[0],
        "name": model_id.rpartition("/")[2],
        "description": "A model for tests.",
        "kind": "chat",
        "context_window": 200_000,
        "max_output": 64_000,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "capabilities": ["tools", "structured_output", "reasoning", "vision"],
        "tier": "balanced",
        "input_price": Decimal(3),
        "output_price": Decimal(15),
        "cache_read_price": Decimal("0.3"),
        "cache_write_price": Decimal("3.75"),
        "released_on": date(2026, 1, 15),
        "source": "tests",
        "checked_on": CHECKED,
        "price_source": "tests 1",
    } | fields
