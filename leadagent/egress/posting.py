"""Messages to other people's web hooks: one POST by https, no redirects."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leadagent.egress.addresses import check_url
from leadagent.egress.connection import connections

DEADLINE_SECONDS = 10.0
MAX_BODY = 2_048


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` holds the first bytes only."""

    status: int
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST `body`; raises `EgressRefused` or `EgressFailed`. Any status is an answer."""
    check_url(url)
    with (
        connections(time.monotonic() + DEADLINE_SECONDS) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
    ):
        return Answer(response.status, _first_bytes(response.iter_stream()))


def _first_bytes(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= MAX_BODY:
            break
    return bytes(body[:MAX_BODY])
