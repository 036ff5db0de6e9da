"""One exchange with a provider in which nothing is generated, so that there is nothing to meter.

The rules of `byok.wire` hold: the shared connections, the provider's own address only, no redirects, no cookies.
An answer is bounded in time and in size. Nothing is ever raised from here, because an exception of the transport
holds the request, and that one may hold a key or a code.
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
from byok.providers import REGISTRY
from byok.wire import shared_pool

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# Bytes; OpenRouter's list of all models was half a megabyte in 2026.
MAX_LIST = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of any status, its body whole."""

    status: int
    headers: httpx2.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is none: a code of `byok.error_kinds.KINDS`, and the name of the transport's exception, if it was one.

    `was_unsent`: no connection came about, so the provider has not seen the request.
    """

    code: str
    kind: str = ""
    was_unsent: bool = False


def exchange(
    provider: str,
    path: str,
    *,
    deadline: float,
    max_body: int,
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
) -> Answered | NoAnswer:
    """GET `path` below the provider's base URL, or POST `fields` there as JSON.

    `deadline` is a moment of `time.monotonic`: by then the answer is whole or given up. `max_body` is in bytes; a
    larger body is a `bad_response`.
    """
    base_url = REGISTRY[provider].base_url
    url = httpx2.URL(base_url + path)
    # The URL is in normal form by now: what led up and back in again shows in the path only.
    if ".." in path.split("/") or not is_within(url, httpx2.URL(base_url)):
        return NoAnswer("wrong_destination")
    left = deadline - time.monotonic()
    if left <= 0:
        return NoAnswer("timeout")
    request = httpx2.Request(
        "GET" if fields is None else "POST",
        url,
        headers={
            "accept": "application/json",
            "accept-encoding": "identity",
            # Some providers' front doors turn away what does not name itself.
            "user-agent": settings.PRODUCT_NAME.replace(" ", "-"),
            **(headers or {}),
        },
        json=None if fields is None else dict(fields),
        extensions={"timeout": httpx2.Timeout(left, connect=min(CONNECT_SECONDS, left)).as_dict()},
    )
    try:
        response = shared_pool().handle_request(request)
        try:
            body = _read(response, deadline, max_body)
        finally:
            response.close()
    except Exception as exc:
        return _failed(exc)
    return body if isinstance(body, NoAnswer) else Answered(response.status_code, response.headers, body)


def _read(response: httpx2.Response, deadline: float, max_body: int) -> bytes | NoAnswer:
    """The whole body, as long as it is neither too large nor dripping past the deadline."""
    body = bytearray()
    for chunk in cast("httpx2.SyncByteStream", response.stream):
        body += chunk
        if len(body) > max_body:
            return NoAnswer("bad_response")
        if time.monotonic() > deadline:
            return NoAnswer("timeout")
    return bytes(body)


def _failed(exc: Exception) -> NoAnswer:
    kind = type(exc).__name__
    if not isinstance(exc, httpx2.RequestError):
        # Its message may quote a header: the kind is all that is told.
        logger.error("an exchange with a provider failed with %s", kind)
    code = "timeout" if isinstance(exc, httpx2.TimeoutException) else "unreachable"
    return NoAnswer(code, kind, was_unsent=isinstance(exc, httpx2.ConnectError | httpx2.ConnectTimeout))
