"""Asking a provider about a key: what it may do, which models it is offered. Nothing is generated or booked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from byok.calls.unmetered import MAX_LIST, NoAnswer, exchange
from byok.errors import AIError, error_from_answer
from byok.providers import REGISTRY


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered. The key is scrubbed out of `body`; `status` is below 300."""

    status: int
    body: bytes


def ask(
    provider: str, api_key: str, path: str, *, deadline: float, headers: Mapping[str, str] | None = None
) -> Answer | AIError:
    """GET `path` (below the provider's base URL) with `api_key`; never raises.

    `deadline` is a moment of `time.monotonic`: by then the answer is whole or given up.
    Tried a second time only where no connection came about. A refusal, an answer over
    8 MB and no answer at all come back as the `AIError` that says so.
    """
    with_key = {**(headers or {}), **REGISTRY[provider].auth_headers(api_key)}
    outcome = exchange(provider, path, deadline=deadline, max_body=MAX_LIST, headers=with_key)
    if isinstance(outcome, NoAnswer) and outcome.was_unsent and time.monotonic() < deadline:
        outcome = exchange(provider, path, deadline=deadline, max_body=MAX_LIST, headers=with_key)
    if isinstance(outcome, NoAnswer):
        return AIError(outcome.code, provider=provider)
    body = outcome.body.replace(api_key.encode(), b"[key removed]")
    if outcome.status < 300:
        return Answer(outcome.status, body)
    if outcome.status < 400:
        return AIError("bad_response", provider=provider, status=outcome.status)
    return error_from_answer(provider, outcome.status, body, outcome.headers)
