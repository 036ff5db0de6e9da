"""What operators see of each exchange with a provider: counters and a span. Never raises: the call is recorded."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from byok.calls.metering import Exchange
from byok.error_kinds import KINDS
from byok.providers import REGISTRY
from leadagent.telemetry.figures import count_call
from leadagent.telemetry.traces import record_call
from usage.recording.events import CallFinished

logger = logging.getLogger(__name__)

# How an exchange may end besides the kinds of errors.
_FURTHER_OUTCOMES = frozenset({"cancelled", "stream_cut"})


def tell_operators(event: CallFinished, exchange: Exchange | None) -> None:
    """Count the exchange, and have it traced where a tracing system is configured."""
    try:
        outcome = _outcome(event)
        _count(event, outcome)
        _trace(event, outcome, exchange.answered_model if exchange is not None else "")
    except Exception as error:
        logger.warning("a call could not be counted (%s)", type(error).__name__)


def _outcome(event: CallFinished) -> str:
    if event.success:
        return "ok"
    return event.error_code if event.error_code in KINDS or event.error_code in _FURTHER_OUTCOMES else "other"


def _count(event: CallFinished, outcome: str) -> None:
    tokens = {
        "input": event.input_tokens,
        "cached_input": event.cached_input_tokens,
        "cache_write": event.cache_write_tokens,
        "output": event.output_tokens,
    }
    count_call(
        provider=event.provider,
        operation=event.operation,
        outcome=outcome,
        seconds=event.duration_ms / 1000,
        tokens=tokens,
    )


def _trace(event: CallFinished, outcome: str, answered_model: str) -> None:
    kind = "embeddings" if event.operation == "embedding" else "chat"
    record_call(
        f"{kind} {event.model}",
        seconds=event.duration_ms / 1000,
        attributes={
            "gen_ai.operation.name": kind,
            "gen_ai.provider.name": event.provider,
            "gen_ai.request.model": event.model,
            "gen_ai.response.model": answered_model,
            "gen_ai.response.id": event.provider_request_id,
            # As the conventions have it: with what was read from, and written to, the provider's cache.
            "gen_ai.usage.input_tokens": event.total_tokens - event.output_tokens,
            "gen_ai.usage.output_tokens": event.output_tokens,
            "server.address": urlsplit(REGISTRY[event.provider].base_url).hostname,
            "http.response.status_code": event.http_status,
            "leadagent.operation": event.operation,
            "leadagent.usage_id": str(event.id),
            "leadagent.run_id": str(event.run_id) if event.run_id else None,
        },
        error="" if event.success else outcome,
    )
