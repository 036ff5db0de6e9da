"""Opening keys that the TypeScript system sealed. Only the import of its tenants does that.

Its envelope is `iv:authTag:ciphertext`, all in hex: AES-256-GCM with a 16-byte IV and no
associated data, and the secret itself as the key. Nothing here seals: what is opened is
sealed anew at once (see `byok.migrating.importing`).
"""

import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from byok.encryption import TAG_BYTES, KeyUnreadable

IV_BYTES = 16
MAX_KEY_BYTES = 1000
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


class InvalidLegacySecret(ValueError):
    """A text that cannot have been the TypeScript system's secret. The message never repeats it."""


def parse_legacy_secret(text: str) -> bytes:
    """The 32 bytes of the TypeScript system's `ENCRYPTION_SECRET`; raises `InvalidLegacySecret`."""
    text = text.strip()
    if len(text) != 64 or not _HEX.fullmatch(text):
        raise InvalidLegacySecret("it must be the old system's ENCRYPTION_SECRET, exactly 64 hexadecimal characters")
    return bytes.fromhex(text)


def open_legacy_key(envelope: str, *, secret: bytes) -> str:
    """The key inside `iv:authTag:ciphertext`; raises `KeyUnreadable`, never returns garbage.

    Stricter than Node, which takes what it can of broken hex and accepts a shortened tag.
    """
    parts = envelope.strip().split(":")
    if len(parts) != 3 or not all(_HEX.fullmatch(part) for part in parts):
        raise KeyUnreadable("It is not of the form iv:authTag:ciphertext in hexadecimal.")
    iv, tag, sealed = (bytes.fromhex(part) for part in parts)
    if len(iv) != IV_BYTES or len(tag) != TAG_BYTES:
        raise KeyUnreadable("Its IV or its tag is not 16 bytes long.")
    if len(sealed) > MAX_KEY_BYTES:
        raise KeyUnreadable("It is too long to be a key.")
    opened = _opened(secret, iv, sealed + tag)
    if opened is None:
        raise KeyUnreadable("It was changed, or sealed with another secret.")
    return opened


def _opened(secret: bytes, iv: bytes, sealed: bytes) -> str | None:
    """None instead of an exception: a decoding error would stay behind ours, and holds what was opened."""
    try:
        return AESGCM(secret).decrypt(iv, sealed, None).decode()
    except (InvalidTag, UnicodeDecodeError):
        return None
