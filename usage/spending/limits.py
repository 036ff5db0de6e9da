"""Which organisations have a hard budget or a rate of their own: known to each process, so that a call need not ask.

Read once for all of them and kept for a few seconds. A change is in force at once in the
process that saved it, and within `FRESH_SECONDS` in the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from usage.recording import durable

FRESH_SECONDS = 5.0

_READ = """
SELECT organization_id, coalesce(budgets.operations, ''), rate.requests_per_minute, rate.tokens_per_minute
FROM (SELECT organization_id, string_agg(operation, ',') || ',' AS operations FROM usage_budget
      WHERE hard IS NOT NULL GROUP BY organization_id) AS budgets
FULL JOIN usage_callrate AS rate USING (organization_id)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one organisation has set. `hard_budgets`: operations, with an empty text for "all"."""

    hard_budgets: frozenset[str] = frozenset()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def has_hard_budget(self, operation: str) -> bool:
        """Whether a call for `operation` counts against a hard budget."""
        return bool(self.hard_budgets & {"", operation})


_NONE = Limits()
_lock = threading.Lock()
_known: Mapping[int, Limits] = {}
_fresh_until = 0.0
_generation = 0


def limits_of(organization_id: int) -> Limits:
    """What the organisation has set. While PostgreSQL is away: what was last read."""
    if time.monotonic() >= _fresh_until:
        _refresh()
    return _known.get(organization_id, _NONE)


def forget() -> None:
    """Read anew at the next call: something was saved."""
    global _fresh_until, _generation
    _generation += 1
    _fresh_until = 0.0


def _refresh() -> None:
    global _known, _fresh_until
    with _lock:
        if time.monotonic() < _fresh_until:
            return
        generation = _generation
        try:
            with durable.connection() as connection:
                found = connection.execute(_READ).fetchall()
        except (psycopg.OperationalError, PoolTimeout):
            found = None
        if found is not None:
            _known = {
                organization_id: Limits(frozenset(operations.split(",")[:-1]), requests, tokens)
                for organization_id, operations, requests, tokens in found
            }
        if generation == _generation:
            _fresh_until = time.monotonic() + FRESH_SECONDS
