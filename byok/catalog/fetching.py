"""Getting a provider's public list of models: no key goes with it.

The rules of `byok.checking.asking` hold: the operator's address only, no redirects, no cookies, a size
cap and a deadline. The answer is data from outside: whoever reads it checks it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx2
from django.conf import settings

from byok.calls.gate import is_within
from byok.checking.asking import CONNECT_SECONDS, read_bounded
from byok.providers import REGISTRY
from byok.wire import shared_pool

SECONDS = 30.0


class ListUnavailable(Exception):
    """No list came, or none that can be believed; the message is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer to a question for a list. `body` is None where it is still the one with the ETag that was named."""

    body: bytes | None
    etag: str


def fetch_list(provider: str, path: str, *, etag: str = "") -> Fetched:
    """GET `path` below the provider's address. Raises `ListUnavailable`."""
    entry = REGISTRY[provider]
    url = httpx2.URL(entry.base_url + path)
    if not is_within(url, httpx2.URL(entry.base_url)):
        raise ListUnavailable(f"The address of {entry.label} leads elsewhere.")
    deadline = time.monotonic() + SECONDS
    headers = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": settings.PRODUCT_NAME.replace(" ", "-"),
        **({"if-none-match": etag} if etag else {}),
    }
    timeout = httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS)
    try:
        response = shared_pool().handle_request(
            httpx2.Request("GET", url, headers=headers, extensions={"timeout": timeout.as_dict()})
        )
        try:
            body = read_bounded(response, deadline)
        finally:
            response.close()
    except httpx2.TimeoutException:
        raise ListUnavailable(f"{entry.label} did not answer in time.") from None
    except httpx2.RequestError as error:
        raise ListUnavailable(f"{entry.label} could not be reached ({type(error).__name__}).") from None
    if response.status_code == 304 and etag:
        return Fetched(None, etag)
    if response.status_code != 200:
        raise ListUnavailable(f"{entry.label} answered with status {response.status_code}.")
    if not isinstance(body, bytes):
        raise ListUnavailable(f"The list of {entry.label} is too large, or came too slowly.")
    return Fetched(body, response.headers.get("etag", "")[:200])
