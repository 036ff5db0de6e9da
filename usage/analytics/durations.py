"""How long answered calls took, as counts in fixed buckets: two days, or two thousand, add up without the events.

The edges grow by a factor of the fourth root of two, from 10 ms to 655 s. A percentile is given as the
middle (geometric) of its bucket, so it is within 9.1 % of the true duration; below 10 ms and above 655 s
only that much is known. Calls that failed are not in it: a refusal is quick and says nothing of a model.

All counts stand in one whole number, ten decimal digits for each, the fastest calls at its end. So the
database sums, adds and subtracts them as it does any other measure of the rollup.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from math import ceil

_EXACT_EDGES = tuple(10 * 2 ** (step / 4) for step in range(65))
# Durations are whole milliseconds: so is the first that lies above each edge.
# Bucket n holds EDGES[n-1] <= duration < EDGES[n]; the first and the last have no other end.
EDGES = tuple(ceil(edge) for edge in _EXACT_EDGES)
BUCKETS = len(EDGES) + 1
# From the middle of a bucket to its ends.
ACCURACY = 2 ** (1 / 8) - 1

# Of one count: nobody makes ten thousand million calls a day.
_DIGITS = 10
ALL_DIGITS = _DIGITS * BUCKETS

# SQL that counts rows shaped like AIUsage. A duration that nobody knows is in no bucket.
COUNTED_SQL = (
    f"coalesce(sum(('{{{','.join(f'1e{_DIGITS * place}' for place in range(BUCKETS))}}}'::numeric[])"
    f"[1 + width_bucket(duration_ms, '{{{','.join(map(str, EDGES))}}}'::integer[])]) FILTER (WHERE success), 0)"
)


def bucket_of(milliseconds: int) -> int:
    """The place in the counts, from 0."""
    return bisect_right(EDGES, milliseconds)


def counts_in(number: Decimal | int) -> list[int]:
    """The counts of each bucket, the fastest first."""
    digits = f"{int(number):0{ALL_DIGITS}d}"
    return [int(digits[end - _DIGITS : end]) for end in range(ALL_DIGITS, 0, -_DIGITS)]


def percentile(counts: Sequence[int], share: float) -> int | None:
    """The duration (ms) that `share` of the calls did not exceed (nearest rank); None without calls."""
    total = sum(counts)
    if not total:
        return None
    rank, seen = max(1, ceil(share * total)), 0
    for place, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return _middle(place)
    return None


def _middle(place: int) -> int:
    if place == 0:
        return EDGES[0]
    if place == len(EDGES):
        return EDGES[-1]
    return round(_EXACT_EDGES[place - 1] * 2 ** (1 / 8))
