"""Getting a provider's public list of models: no key goes with it.

The answer is data from outside: whoever reads it checks it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from byok.calls.unmetered import MAX_LIST, NoAnswer, exchange
from byok.providers import REGISTRY

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
    label = REGISTRY[provider].label
    outcome = exchange(
        provider,
        path,
        deadline=time.monotonic() + SECONDS,
        max_body=MAX_LIST,
        headers={"if-none-match": etag} if etag else None,
    )
    if isinstance(outcome, NoAnswer):
        raise ListUnavailable(_why(label, outcome))
    if outcome.status == 304 and etag:
        return Fetched(None, etag)
    if outcome.status != 200:
        raise ListUnavailable(f"{label} answered with status {outcome.status}.")
    return Fetched(outcome.body, outcome.headers.get("etag", "")[:200])


def _why(label: str, missing: NoAnswer) -> str:
    match missing.code:
        case "wrong_destination":
            return f"The address of {label} leads elsewhere."
        case "bad_response":
            return f"The list of {label} is too large."
        case "timeout":
            return f"{label} did not answer in time."
    return f"{label} could not be reached ({missing.kind})."
