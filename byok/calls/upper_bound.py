"""The most that a call may cost, known before it is sent: what a hard budget holds for it. Pure.

Every token of the input is at least one byte of the request, and the output is bounded by
the request's own limit. Where a request names none, or the model's price is not listed, the
defaults below stand in; a call that costs more than was held for it is counted in full.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from byok.calls.json_answers import json_object
from byok.pricing import FixedPrice, TokenBuckets, estimate

# What today's small chat models may write at most (gpt-4o-mini: 16,384).
DEFAULT_OUTPUT_TOKENS = 16_384
# US dollars held for a call whose model has no listed price.
DEFAULT_AMOUNT = Decimal("0.25")

_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def most_it_may_cost(provider: str, model: str, body: bytes, *, fixed: FixedPrice | None = None) -> Decimal:
    """US dollars for a request body as it goes over the wire, at the price that its answer will be estimated by."""
    request = json_object(body) or {}
    size = len(body)
    is_cached_on_the_way = b'"cache_control"' in body
    tokens = TokenBuckets(
        uncached_input=0 if is_cached_on_the_way else size,
        # Written to the provider's cache, input costs more than its list price.
        cache_write_1h=size if is_cached_on_the_way else 0,
        output=_output_limit(request),
    )
    cost = estimate(provider, tokens, asked=model, answered=None, fixed=fixed).cost
    return DEFAULT_AMOUNT if cost is None else cost


def _output_limit(request: dict[str, Any]) -> int:
    if "messages" not in request and "input" in request and "max_output_tokens" not in request:
        # Embeddings have no output.
        return 0
    named = [value for name in _OUTPUT_LIMITS if isinstance(value := request.get(name), int) and value > 0]
    wanted = request.get("n")
    choices = wanted if isinstance(wanted, int) and wanted > 1 else 1
    return choices * (max(named) if named else DEFAULT_OUTPUT_TOKENS)
