"""Connections to OpenRouter that were begun and not finished: kept in the session of whoever began them.

An attempt is bound to that session, to the organisation and to the person, is good for ten
minutes and for one use. It holds the PKCE verifier, which is worth nothing without the code
that OpenRouter gives to the same browser; it never holds a key.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, cast

from byok.connecting.openrouter import new_verifier
from leadagent.http import HtmxHttpRequest

LIFETIME_SECONDS = 600
# Tabs that somebody may have open at OpenRouter at the same time.
MAX_PENDING = 5
ORIGINS = ("settings", "onboarding")

_SESSION_KEY = "openrouter_connect"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`origin` is where the person came from (`ORIGINS`), and where they go on to."""

    state: str
    verifier: str
    origin: str


def begin_attempt(request: HtmxHttpRequest, *, origin: str) -> Attempt:
    """Note a new attempt in the session."""
    attempt = Attempt(secrets.token_urlsafe(32), new_verifier(), origin if origin in ORIGINS else ORIGINS[0])
    pending = _pending(request)
    pending[attempt.state] = {
        "verifier": attempt.verifier,
        "origin": attempt.origin,
        "organization": request.organization.pk,
        "person": request.user.pk,
        "at": int(time.time()),
    }
    for state in list(pending)[:-MAX_PENDING]:
        del pending[state]
    request.session[_SESSION_KEY] = pending
    return attempt


def find_attempt(request: HtmxHttpRequest, state: str) -> Attempt | None:
    """The open attempt of that state, begun in this session by this person for this organisation; None otherwise."""
    noted = _pending(request).get(state)
    if noted is None or (noted["organization"], noted["person"]) != (request.organization.pk, request.user.pk):
        return None
    return Attempt(state, noted["verifier"], noted["origin"])


def use_attempt(request: HtmxHttpRequest, state: str) -> None:
    """Forget the attempt, at once: what comes after may fail, and it must not be tried twice."""
    pending = _pending(request)
    pending.pop(state, None)
    request.session[_SESSION_KEY] = pending
    request.session.save()


def _pending(request: HtmxHttpRequest) -> dict[str, dict[str, Any]]:
    """Those that are not too old, oldest first."""
    noted = cast("dict[str, dict[str, Any]]", request.session.get(_SESSION_KEY, {}))
    now = time.time()
    return {state: attempt for state, attempt in noted.items() if 0 <= now - attempt["at"] < LIFETIME_SECONDS}
