"""One-click connect: a person agrees at OpenRouter, and OpenRouter hands us a key of theirs (OAuth PKCE, S256).

https://openrouter.ai/docs/use-cases/oauth-pkce. There is no registration of applications and no
client secret: who holds the verifier may exchange the code, once. OpenRouter sends people back to
https addresses on ports 443 and 3000 only (and to localhost:3000).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from byok.calls.json_answers import json_object
from byok.calls.unmetered import NoAnswer, exchange
from byok.config.values import InvalidConfig, check_api_key
from byok.errors import AIError, classify_status, error_object
from byok.providers import REGISTRY

OPENROUTER = "openrouter"
CHALLENGE_METHOD = "S256"
# An answer is a few hundred bytes, and comes within a second.
MAX_ANSWER = 16 * 1024
MAX_SECONDS = 30.0
MAX_CODE = 2048

_API_PATH = "/api/v1"
_NOT_ACCEPTED = (
    "OpenRouter did not accept this sign-in: its code is used up, too old, or was made for another attempt. "
    "Start the connection again."
)
_NOT_OFFERED = "One-click connect is not offered at this OpenRouter address. Paste a key instead."


def new_verifier() -> str:
    """86 random characters of the alphabet that RFC 7636 allows (43 to 128)."""
    return secrets.token_urlsafe(64)


def challenge_of(verifier: str) -> str:
    """The verifier's SHA-256 in base64url without padding."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def auth_url(*, callback_url: str, challenge: str) -> str:
    """Where the person agrees: beside the API that keys are sent to (`https://openrouter.ai/auth`)."""
    base = REGISTRY[OPENROUTER].base_url.removesuffix(_API_PATH)
    query = {"callback_url": callback_url, "code_challenge": challenge, "code_challenge_method": CHALLENGE_METHOD}
    return f"{base}/auth?{urlencode(query)}"


def exchange_code(code: str, *, verifier: str) -> str:
    """Trade the code for a key. Raises `AIError`; the code is spent either way."""
    status, body = _post({"code": code, "code_verifier": verifier, "code_challenge_method": CHALLENGE_METHOD})
    if status != 200:
        raise _refused(status, body)
    key = body.get("key")
    if not isinstance(key, str) or not _is_key(key):
        raise AIError("bad_response", provider=OPENROUTER, status=status)
    return key


def _is_key(text: str) -> bool:
    try:
        check_api_key(OPENROUTER, text)
    except InvalidConfig:
        return False
    return True


def _refused(status: int, body: Mapping[str, Any]) -> AIError:
    """OpenRouter's documented refusals: 400 challenge method, 403 code or verifier, 405 method."""
    detail = str(error_object(body).get("message") or "")
    if status in {400, 401, 403, 409, 410, 422}:
        return AIError("bad_request", provider=OPENROUTER, sentence=_NOT_ACCEPTED, detail=detail, status=status)
    if status in {404, 405} or 300 <= status < 400:
        return AIError("bad_response", provider=OPENROUTER, sentence=_NOT_OFFERED, detail=detail, status=status)
    return AIError(classify_status(status), provider=OPENROUTER, detail=detail, status=status)


def _post(fields: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
    """Status and JSON object of the answer; of a refusal an empty one where it has none. Raises `AIError`."""
    outcome = exchange(
        OPENROUTER, "/auth/keys", deadline=time.monotonic() + MAX_SECONDS, max_body=MAX_ANSWER, fields=fields
    )
    if isinstance(outcome, NoAnswer):
        raise AIError(outcome.code, provider=OPENROUTER)
    body = json_object(outcome.body)
    if body is None and outcome.status == 200:
        raise AIError("bad_response", provider=OPENROUTER, status=200)
    return outcome.status, body or {}
