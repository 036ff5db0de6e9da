"""Sealing customers' keys: AES-256-GCM, bound to the row they belong to.

An envelope is `v1:<key id>:<nonce>:<ciphertext and tag>` (the last two in base64url).
The key id names the secret that sealed it, so that several secrets can be live at once.
Data keys are derived by HKDF-SHA256 per purpose (RFC 5869); the associated data binds
the ciphertext to environment, organisation, provider, credential and purpose: copied
to another row, it does not open.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION = "v1"
NONCE_BYTES = 12
TAG_BYTES = 16


class KeyUnreadable(Exception):
    """An envelope that does not open: tampered with, moved, or sealed by a secret that is gone.

    The message never tells more than which of these checks failed.
    """


@dataclass(frozen=True, slots=True)
class KeyBinding:
    """What a sealed key belongs to; it opens nowhere else."""

    organization_id: int
    provider: str
    credential_id: UUID
    purpose: str = "api_key"

    def associated_data(self) -> bytes:
        parts = [
            VERSION,
            settings.ENCRYPTION_ENVIRONMENT,
            str(self.organization_id),
            self.provider,
            str(self.credential_id),
            self.purpose,
        ]
        # JSON keeps the parts apart: no value can run into its neighbour.
        return json.dumps(parts, separators=(",", ":")).encode()


@lru_cache(maxsize=64)
def _derive(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose. The secret itself never encrypts anything."""
    info = f"leadagent:{VERSION}:{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(bytes.fromhex(secret))


def key_id(secret: str) -> str:
    """The public name of a secret: 8 hex digits, derived one way."""
    return _derive(secret, "key id")[:4].hex()


def key_id_of(envelope: str) -> str:
    """The name of the secret that sealed an envelope; empty for a text that is none."""
    parts = envelope.split(":")
    return parts[1] if len(parts) == 4 and parts[0] == VERSION else ""


def _secret_named(name: str) -> str:
    for secret in (settings.ENCRYPTION_SECRET, *settings.ENCRYPTION_SECRET_PREVIOUS):
        if hmac.compare_digest(key_id(secret), name):
            return str(secret)
    raise KeyUnreadable("The secret that sealed this key is not configured.")


def encrypt_api_key(api_key: str, *, binding: KeyBinding) -> str:
    """Seal `api_key` for the row that `binding` names, with the current secret."""
    if not api_key:
        raise ValueError("There is no key to seal.")
    secret = settings.ENCRYPTION_SECRET
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_derive(secret, binding.purpose)).encrypt(nonce, api_key.encode(), binding.associated_data())
    return ":".join([VERSION, key_id(secret), _encode(nonce), _encode(sealed)])


def decrypt_api_key(envelope: str, *, binding: KeyBinding) -> str:
    """Open an envelope of the row that `binding` names; raises `KeyUnreadable`, never returns garbage."""
    parts = envelope.split(":")
    if len(parts) != 4 or parts[0] != VERSION:
        raise KeyUnreadable("This is not a sealed key of a known version.")
    nonce, sealed = _decode(parts[2]), _decode(parts[3])
    if len(nonce) != NONCE_BYTES or len(sealed) <= TAG_BYTES:
        raise KeyUnreadable("The sealed key is damaged.")
    secret = _secret_named(parts[1])
    try:
        opened = AESGCM(_derive(secret, binding.purpose)).decrypt(nonce, sealed, binding.associated_data())
    except InvalidTag:
        raise KeyUnreadable("The sealed key was changed, or belongs to another row.") from None
    return opened.decode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise KeyUnreadable("The sealed key is damaged.") from None
    # One ciphertext has one spelling: stray bits in the last character are refused.
    if _encode(raw) != text:
        raise KeyUnreadable("The sealed key is damaged.")
    return raw


def fingerprint(api_key: str) -> str:
    """Keyed fingerprint (HMAC-SHA256, 64 hex) that finds the same key again without opening any."""
    return hmac.new(
        _derive(settings.ENCRYPTION_SECRET, "fingerprint"),
        api_key.encode(),
        hashlib.sha256,
    ).hexdigest()


MASK = "••••••••••"


def mask_api_key(*, prefix: str, last4: str) -> str:
    """What pages show of a stored key, like `sk-or-••••••••••wxyz`, from stored parts: nothing is opened."""
    return f"{prefix}{MASK}{last4}"
