"""How many AI calls and tokens per minute an organisation may use: a guard against runaway work and stolen tokens.

Counted in the cache in fixed minutes (see `tallies`). While the cache is away nothing is
counted and nothing refused: it guards, and budgets and the free tier hold without it. Tokens
are known when a call has ended, so calls under way can take a minute past its limit of
tokens, once.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.models import Organization, User
from usage.models import CallRate
from usage.spending import limits, tallies
from usage.spending.tallies import Used

_MINUTE = 60
# So far into a limit calls are counted beside them: what other processes use meanwhile does not reach it.
_SURE_SHARE = 0.8
# Of a limit that a moment's calls could reach, each call asks.
_SMALL_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """Per minute; 0 means no limit."""

    requests: int = 0
    tokens: int = 0


class RateExceeded(Exception):
    """Too much within this minute. `retry_after` is in seconds; the text says what happens."""

    def __init__(self, limit: int, unit: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"This organisation may use {limit:,} AI {unit} per minute, and this minute's are used up. Nothing was "
            "sent; it goes on by itself within a minute. An admin can see the limit under Settings, Alerts and budgets."
        )


def rate_of(organization_id: int) -> Rate:
    """What is in force: the operator's limit, or the organisation's own where that is lower."""
    own = limits.limits_of(organization_id)
    return Rate(
        requests=_lower(settings.AI_RATE_LIMIT_REQUESTS, own.requests_per_minute),
        tokens=_lower(settings.AI_RATE_LIMIT_TOKENS, own.tokens_per_minute),
    )


def count_request(organization_id: int) -> None:
    """Count one call that is about to be sent; raises `RateExceeded` when it is one too many."""
    rate = rate_of(organization_id)
    if not (rate.requests or rate.tokens):
        return
    minute, passed = divmod(int(time.time()), _MINUTE)
    used = tallies.count_request(
        organization_id, minute, surely=Used(_surely_below(rate.requests), _surely_below(rate.tokens))
    )
    if used is None:
        return
    if rate.tokens and used.tokens >= rate.tokens:
        raise RateExceeded(rate.tokens, "tokens", _MINUTE - passed)
    if rate.requests and used.requests > rate.requests:
        raise RateExceeded(rate.requests, "requests", _MINUTE - passed)


def count_tokens(organization_id: int, tokens: int) -> None:
    """Count what a call that has ended used, in the minute of its end."""
    if tokens > 0 and rate_of(organization_id).tokens:
        tallies.count_tokens(organization_id, int(time.time()) // _MINUTE, tokens)


def own_rate_of(organization: Organization) -> CallRate:
    """What the organisation has set for itself; an unsaved row without figures where it has set nothing."""
    return CallRate.objects.filter(organization=organization).first() or CallRate(organization=organization)


def save_own_rate(
    organization: Organization,
    *,
    requests: int | None,
    tokens: int | None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> bool:
    """Store a limit below the operator's; None leaves it to the operator. False where nothing changed.

    Raises `ValueError` for a figure that is no limit or above the operator's.
    """
    for own, operators in ((requests, settings.AI_RATE_LIMIT_REQUESTS), (tokens, settings.AI_RATE_LIMIT_TOKENS)):
        if own is not None and (own < 1 or (operators and own > operators)):
            raise ValueError(f"A rate of {own} is not between 1 and {operators or 'no limit'}.")
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        row = own_rate_of(organization)
        before = {"requests": row.requests_per_minute, "tokens": row.tokens_per_minute}
        after = {"requests": requests, "tokens": tokens}
        if before == after:
            return False
        row.requests_per_minute, row.tokens_per_minute = requests, tokens
        row.save()
        audit.record(
            "budget.rate_saved", organization=organization, actor=actor, before=before, after=after, request=request
        )
        transaction.on_commit(limits.forget)
    limits.forget()
    return True


def _lower(operators: int, own: int | None) -> int:
    if own is None:
        return operators
    return min(own, operators) if operators else own


def _surely_below(limit: int) -> int:
    if not limit:
        return sys.maxsize
    return 0 if limit <= _SMALL_LIMIT else int(limit * _SURE_SHARE)
