"""Embeddings without a model: words and their letter triples hashed into a unit vector.

Texts that share words, or forms of them, point the same way; the same text always gives
the same vector.
"""

import re
from base64 import b64encode
from collections import Counter
from hashlib import blake2b
from itertools import pairwise
from math import sqrt
from struct import pack

_WORD = re.compile(r"[^\W_]+")
# Words that say nothing about what a text is about.
_FILLER_WORDS = (
    "a an and are as at be by can do for from have how i if in is it its me my no not of on or our so that the their "
    "them they this to us was we were what when which who will with you your"
)
_FILLERS = frozenset(_FILLER_WORDS.split())
_WORD_WEIGHT, _PAIR_WEIGHT, _TRIPLE_WEIGHT, _FILLER_WEIGHT = 1.0, 0.5, 0.35, 0.1


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of that many dimensions and length 1 for a text."""
    vector = [0.0] * dimensions
    for feature, weight in _features(text).items():
        bits = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
        vector[(bits >> 1) % dimensions] += weight if bits & 1 else -weight
    length = sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def as_base64(vector: list[float]) -> str:
    """The vector as little-endian 32-bit floats in base64, OpenAI's `encoding_format: base64`."""
    return b64encode(pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _features(text: str) -> dict[str, float]:
    """Weighted features of a text. Repetition counts by its square root, so that no word drowns the rest."""
    words = _WORD.findall(text.lower())
    weights = {f"w:{word}": _FILLER_WEIGHT if word in _FILLERS else _WORD_WEIGHT for word in words}
    counts = Counter(f"w:{word}" for word in words)
    telling = [word for word in words if word not in _FILLERS]
    for first, second in pairwise(telling):
        counts[f"p:{first} {second}"] += 1
        weights[f"p:{first} {second}"] = _PAIR_WEIGHT
    for word in telling:
        for start in range(len(word) - 2):
            counts[f"t:{word[start : start + 3]}"] += 1
            weights[f"t:{word[start : start + 3]}"] = _TRIPLE_WEIGHT
    return {feature: weights[feature] * sqrt(count) for feature, count in counts.items()}
