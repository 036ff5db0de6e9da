"""The signs of a vector's numbers, one bit each: what a first look at many vectors goes by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _Field = models.Field[str, str]
else:
    _Field = models.Field


class SignsField(_Field):
    """As many bits as the vector has numbers, as the database writes them ("0110…"). It makes them itself."""

    def db_type(self, connection: Any) -> str:
        return "bit varying"


def signs_of(vector: Sequence[float]) -> models.Func:
    """The signs of a vector that is not stored: 1 for what is above zero, as pgvector's `binary_quantize` has it."""
    bits = "".join("1" if number > 0 else "0" for number in vector)
    return models.Func(models.Value(bits), template="%(expressions)s::bit varying", output_field=SignsField())
