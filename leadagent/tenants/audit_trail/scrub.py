"""Keeps secrets out of audit events: by the name a value goes under, and by the value's shape. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from leadagent.logs import scrub

# A text under a name with one of these words in it is never written, whatever it looks like.
_TELLING_WORDS = frozenset(
    {
        "apikey", "auth", "authorization", "bearer", "cipher", "ciphertext", "code", "codes", "cookie", "cookies",
        "credential", "credentials", "csrf", "digest", "envelope", "fingerprint", "hash", "hmac", "key", "keys",
        "nonce", "otp", "passphrase", "passwd", "password", "passwords", "pin", "private", "pwd", "salt", "sealed",
        "secret", "secrets", "session", "signature", "token", "tokens", "totp",
    }
)  # fmt: skip
# Names with such a word that say something about a secret and not the secret.
_HARMLESS_NAMES = frozenset(
    {"credential_id", "error_code", "key_id", "key_ids", "key_owner", "key_status", "status_code", "token_name"}
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RUN_TOGETHER = re.compile("apikey|secret|password|authorization|fingerprint|sealed|ciphertext|privatekey|accesstoken")


def without_secrets(values: Mapping[Any, Any] | None) -> dict[str, Any] | None:
    """A copy that JSON can hold, without the values that are secret by name, and with key shapes scrubbed.

    Flags and counts stay under any name: `{"keys": 3, "has_key": true}` gives nothing away.
    """
    if values is None:
        return None
    return {
        plain(str(name)): _scrubbed(value)
        for name, value in values.items()
        if not (_is_telling(str(name)) and not _is_flag_or_count(str(name), value))
    }


def plain(text: str) -> str:
    """The text with key shapes scrubbed and without what PostgreSQL cannot store."""
    return scrub(text.replace("\x00", "").encode("utf-8", "replace").decode())


def _is_telling(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if "_".join(words) in _HARMLESS_NAMES:
        return False
    return not _TELLING_WORDS.isdisjoint(words) or _RUN_TOGETHER.search("".join(words)) is not None


def _is_flag_or_count(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return True
    # One number under "pin" or "code" is the secret; under a plural it counts.
    return isinstance(value, int | float) and name.rstrip().endswith("s")


def _scrubbed(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(item) for item in value]
    if isinstance(value, Enum):
        return _scrubbed(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "[bytes]"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return plain(format(value, "f") if isinstance(value, Decimal) else str(value))
