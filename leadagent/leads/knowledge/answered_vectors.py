"""Reading vectors from the answer of an embedding model: SDKs hand over whatever was answered, unchecked."""

from __future__ import annotations

from typing import TypeGuard

# What pgvector stores: so many dimensions, each a number of single precision.
MAX_DIMENSIONS = 16_000
_LARGEST = 3.4e38


def read_vectors(answer: object, *, count: int) -> list[list[float]] | None:
    """The `count` vectors of an answer, in the order of their texts; None where one is missing or is no vector."""
    items = getattr(answer, "data", None)
    found: dict[int, list[float]] = {}
    for item in items if isinstance(items, list) else []:
        place, vector = getattr(item, "index", None), getattr(item, "embedding", None)
        if isinstance(place, int) and _is_vector(vector):
            found[place] = [float(number) for number in vector]
    return [found[place] for place in sorted(found)] if len(found) == count else None


def _is_vector(value: object) -> TypeGuard[list[float]]:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_DIMENSIONS
        # Neither infinity nor "no number" is within these bounds.
        and all(isinstance(number, float | int) and -_LARGEST <= number <= _LARGEST for number in value)
    )
