"""Sums in answers of the JSON API: exact decimals as text, never floats."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema


def _plain(amount: Decimal) -> str:
    """`3`, `0.075`: no exponent, no zeros that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


ExactDecimal = Annotated[
    Decimal,
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.075"]}, mode="serialization"),
]
