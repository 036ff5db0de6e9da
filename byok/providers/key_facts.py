"""What a provider tells about a key when it is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Read from one answer; what the provider does not tell keeps its default. Sums are US dollars."""

    # A sentence that says why a key of this kind cannot call models; empty for the right kind.
    wrong_kind: str = ""
    # Whether `limit` and what follows are known: a limit of None then means that none is set.
    tells_limit: bool = False
    limit: Decimal | None = None
    limit_remaining: Decimal | None = None
    # "daily", "weekly", "monthly", or empty where the limit never starts afresh.
    limit_reset: str = ""
    # The account has never paid: it may call free models only.
    is_free_tier: bool = False
    # Whether `expires_at` is known: None then means that the key does not expire.
    tells_expiry: bool = False
    expires_at: datetime | None = None


def model_ids(body: object) -> frozenset[str] | None:
    """The names in a list of models (`{"data": [{"id": …}]}`, the same at all three providers), or None.

    Other names that a provider gives for the same model count too.
    """
    data = body.get("data") if isinstance(body, Mapping) else None
    if not isinstance(data, list):
        return None
    named = [model for model in data if isinstance(model, Mapping)]
    # An answer of another shape is no list without models.
    if data and not any(isinstance(model.get("id"), str) for model in named):
        return None
    names = (model.get(name) for model in named for name in ("id", "canonical_slug"))
    return frozenset(name for name in names if isinstance(name, str) and name)


def dollars(value: object) -> Decimal | None:
    """A finite sum of US dollars, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and abs(amount) < Decimal(10) ** 12 else None


def moment(value: object) -> datetime | None:
    """A point in time in ISO 8601, UTC unless it says otherwise; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
