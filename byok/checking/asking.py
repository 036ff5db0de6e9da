"""Asking a provider about a key: what it may do, which models it is offered. Nothing is generated, nothing is booked.

The same rules as in `byok.wire`: the shared connections, the provider's own address only,
no redirects, no cookies, the key on the wire copy only. Nothing is ever raised from here,
because an exception of the transport holds the request, and that one holds the key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httpx2
from django.conf import settings

from byok.calls.gate import is_within
from byok.errors import AIError, error_from_answer
from byok.providers import REGISTRY
from byok.wire import shared_pool

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# OpenRouter's list of all models was half a megabyte in 2026.
MAX_BODY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered. The key is scrubbed out of `body`; `status` is below 300."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why there is no answer, as an error's code: the exception itself holds frames, and they hold the key."""

    code: str
    was_unsent: bool = False


def ask(
    provider: str, api_key: str, path: str, *, deadline: float, headers: Mapping[str, str] | None = None
) -> Answer | AIError:
    """GET `path` (below the provider's base URL) with `api_key`; never raises.

    `deadline` is a moment of `time.monotonic`: by then the answer is whole or given up.
    Tried a second time only where no connection came about. A refusal, an answer over
    8 MB and no answer at all come back as the `AIError` that says so.
    """
    entry = REGISTRY[provider]
    url = httpx2.URL(entry.base_url + path)
    # The URL is in normal form by now: what led up and back in again shows in the path only.
    if ".." in path.split("/") or not is_within(url, httpx2.URL(entry.base_url)):
        return AIError("wrong_destination", provider=provider)
    outcome = _send(provider, api_key, url, dict(headers or {}), deadline)
    if isinstance(outcome, _Failed) and outcome.was_unsent and time.monotonic() < deadline:
        outcome = _send(provider, api_key, url, dict(headers or {}), deadline)
    if isinstance(outcome, _Failed):
        return AIError(outcome.code, provider=provider)
    status, kept, body = outcome
    if status < 300:
        return Answer(status, body)
    if status < 400:
        return AIError("bad_response", provider=provider, status=status)
    return error_from_answer(provider, status, body, kept)


def _send(
    provider: str, api_key: str, url: httpx2.URL, headers: dict[str, str], deadline: float
) -> tuple[int, dict[str, str], bytes] | _Failed:
    """One exchange: status, the headers that count, and the scrubbed body. The key lives in this frame only."""
    left = deadline - time.monotonic()
    if left <= 0:
        return _Failed("timeout")
    timeout = httpx2.Timeout(left, connect=min(CONNECT_SECONDS, left))
    try:
        response = shared_pool().handle_request(
            httpx2.Request(
                "GET",
                url,
                headers={
                    "accept": "application/json",
                    "accept-encoding": "identity",
                    # Some providers' front doors turn away what does not name itself.
                    "user-agent": settings.PRODUCT_NAME.replace(" ", "-"),
                    **headers,
                    **REGISTRY[provider].auth_headers(api_key),
                },
                extensions={"timeout": timeout.as_dict()},
            )
        )
        try:
            body = read_bounded(response, deadline)
        finally:
            response.close()
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
        return _Failed("timeout" if isinstance(exc, httpx2.TimeoutException) else "unreachable", was_unsent=True)
    except httpx2.TimeoutException:
        return _Failed("timeout")
    except Exception as exc:
        # Its message may quote a header: the kind is all that is told.
        if not isinstance(exc, httpx2.RequestError):
            logger.error("asking %s failed with %s", provider, type(exc).__name__)
        return _Failed("unreachable")
    if isinstance(body, _Failed):
        return body
    kept = {"retry-after": value} if (value := response.headers.get("retry-after")) else {}
    return response.status_code, kept, body.replace(api_key.encode(), b"[key removed]")


def read_bounded(response: httpx2.Response, deadline: float) -> bytes | _Failed:
    """The whole body, as long as it is neither too large nor dripping past the deadline."""
    body = bytearray()
    for chunk in cast("httpx2.SyncByteStream", response.stream):
        body += chunk
        if len(body) > MAX_BODY:
            return _Failed("bad_response")
        if time.monotonic() > deadline:
            return _Failed("timeout")
    return bytes(body)
