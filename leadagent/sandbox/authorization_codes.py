"""Codes that stand for a person's agreement at the sandbox's OpenRouter: ten minutes old at most, good once.

A code carries its challenge, signed, so that whichever process is asked can check it without a
database. That it was used is one file beside the record; without a record, this process remembers.
"""

import base64
import hashlib
import os
import secrets
import time
from pathlib import Path

from django.conf import settings
from django.core import signing

LIFETIME_SECONDS = 600
_SALT = "leadagent.sandbox.authorization_codes"
_used: set[str] = set()


class WrongMethod(Exception):
    """The code was asked for with another challenge method."""


class WrongCode(Exception):
    """No code of ours, too old, used before, or not the verifier of its challenge."""


def issue(*, challenge: str, method: str) -> str:
    """A code for a person's agreement; without a challenge, whoever holds it may exchange it (as at OpenRouter)."""
    facts = {"challenge": challenge, "method": method, "nonce": secrets.token_hex(8)}
    return "auth_code_" + signing.dumps(facts, salt=_SALT)


def redeem(code: str, *, verifier: str, method: str) -> None:
    """Use the code up. Raises `WrongMethod` and `WrongCode`; a wrong guess does not use it up."""
    try:
        facts = signing.loads(code.removeprefix("auth_code_"), salt=_SALT, max_age=LIFETIME_SECONDS)
    except signing.BadSignature:
        raise WrongCode from None
    if facts["challenge"]:
        if method != facts["method"]:
            raise WrongMethod
        if not secrets.compare_digest(_challenge(verifier, method), facts["challenge"]):
            raise WrongCode
    if not _note_first_use(hashlib.sha256(code.encode()).hexdigest()):
        raise WrongCode


def _challenge(verifier: str, method: str) -> str:
    """https://datatracker.ietf.org/doc/html/rfc7636#section-4.2"""
    if method == "plain":
        return verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _note_first_use(name: str) -> bool:
    """False where it was used before: whichever process comes second finds the file there."""
    if not settings.SANDBOX_RECORD_FILE:
        is_first = name not in _used
        _used.add(name)
        return is_first
    place = Path(f"{settings.SANDBOX_RECORD_FILE}.codes")
    place.mkdir(mode=0o700, exist_ok=True)
    for old in place.iterdir():
        if time.time() - old.stat().st_mtime > LIFETIME_SECONDS:
            old.unlink(missing_ok=True)
    try:
        os.close(os.open(place / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
