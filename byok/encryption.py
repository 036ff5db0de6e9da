"""Sealing customers' keys: AES-256-GCM, bound to the row they belong to.

An envelope is `v1:<key id>:<nonce>:<ciphertext and tag>` (the last two in base64url).
The key id names the secret that sealed it, so that several secrets can be live at once:
the current one seals, the current and the previous ones open. Data keys are derived by
HKDF-SHA256 per purpose (RFC 5869); the associated data binds the ciphertext to
environment, organisation, provider, credential and purpose: copied to another row, it
does not open. Nonces are random: one secret is good for 2³² seals (NIST SP 800-38D, 8.3).

What raises here has neither secret nor key among its frames' variables, and no other
exception behind it: an error report may show both.
"""

import base64
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
from django.core.exceptions import ImproperlyConfigured

VERSION = "v1"
NONCE_BYTES = 12
TAG_BYTES = 16

# Derived for something else than sealing: what is sealed may not use their keys, and
# four bytes of the first are public.
_KEY_ID, _FINGERPRINT = "key id", "fingerprint"

# Made once: `json.dumps` would make one per call.
_encode_parts = json.JSONEncoder(separators=(",", ":")).encode


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
        return _encode_parts(parts).encode()


@dataclass(frozen=True, slots=True)
class Resealed:
    """A sealed key as it shall be stored from now on."""

    sealed_key: str
    key_id: str
    fingerprint: str


# --- The key ring -------------------------------------------------------------------


@lru_cache(maxsize=64)
def _derive(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose. The secret itself never encrypts anything."""
    info = f"leadagent:{VERSION}:{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(bytes.fromhex(secret))


@lru_cache(maxsize=64)
def _cipher(secret: str, purpose: str) -> AESGCM:
    if purpose in {_KEY_ID, _FINGERPRINT}:
        raise ValueError(f"Nothing is sealed for the purpose {purpose!r}.")
    return AESGCM(_derive(secret, purpose))


@lru_cache(maxsize=64)
def key_id(secret: str) -> str:
    """The public name of a secret: 8 hex digits, derived one way."""
    return _derive(secret, _KEY_ID)[:4].hex()


def key_id_of(envelope: str) -> str:
    """The name of the secret that sealed an envelope; empty for a text that is none."""
    parts = envelope.split(":")
    return parts[1] if len(parts) == 4 and parts[0] == VERSION else ""


def current_key_id() -> str:
    """The name of the secret that seals."""
    return key_id(settings.ENCRYPTION_SECRET)


def previous_key_ids() -> list[str]:
    """The names of the secrets that only open, as they are configured."""
    return [key_id(secret) for secret in settings.ENCRYPTION_SECRET_PREVIOUS]


def envelope_head() -> str:
    """How every envelope begins that the current secret sealed in the current version."""
    return f"{VERSION}:{current_key_id()}:"


def check_key_ring() -> None:
    """Raise `ImproperlyConfigured` where a name does not tell which secret is meant. Run at every start."""
    previous = settings.ENCRYPTION_SECRET_PREVIOUS
    if settings.ENCRYPTION_SECRET in previous:
        raise ImproperlyConfigured(
            "ENCRYPTION_SECRET_PREVIOUS names the secret that is also ENCRYPTION_SECRET: leave it out there."
        )
    if len(set(previous)) != len(previous):
        raise ImproperlyConfigured("ENCRYPTION_SECRET_PREVIOUS names the same secret twice: leave one of them out.")
    names = [current_key_id(), *previous_key_ids()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImproperlyConfigured(
            f"Two encryption secrets have the same key id {twice[0]}: make the new one again with "
            "`openssl rand -hex 32`."
        )


def _cipher_named(name: str, purpose: str) -> AESGCM | None:
    for secret in (settings.ENCRYPTION_SECRET, *settings.ENCRYPTION_SECRET_PREVIOUS):
        # Names are public: nothing is learned from how long this takes.
        if key_id(secret) == name:
            return _cipher(secret, purpose)
    return None


# --- Sealing and opening ------------------------------------------------------------


def encrypt_api_key(api_key: str, *, binding: KeyBinding) -> str:
    """Seal `api_key` for the row that `binding` names, with the current secret.

    Raises `ValueError` for what is no key: an empty text, or one that UTF-8 cannot hold.
    """
    return _seal(api_key, binding.purpose, binding.associated_data())


def decrypt_api_key(envelope: str, *, binding: KeyBinding) -> str:
    """Open an envelope of the row that `binding` names; raises `KeyUnreadable`, never returns garbage."""
    return _open(envelope, binding.purpose, binding.associated_data())


def reseal_api_key(envelope: str, *, binding: KeyBinding) -> Resealed:
    """Open an envelope and seal its key again with the current secret; raises `KeyUnreadable`.

    The fingerprint is made anew too: it is keyed by the same secret.
    """
    associated_data = binding.associated_data()
    api_key = _open(envelope, binding.purpose, associated_data)
    return Resealed(_seal(api_key, binding.purpose, associated_data), current_key_id(), fingerprint(api_key))


def _seal(api_key: str, purpose: str, associated_data: bytes) -> str:
    raw = _as_bytes(api_key)
    if not raw:
        raise ValueError("There is no key to seal.")
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _cipher(settings.ENCRYPTION_SECRET, purpose).encrypt(nonce, raw, associated_data)
    return envelope_head() + _encode(nonce) + ":" + _encode(sealed)


def _open(envelope: str, purpose: str, associated_data: bytes) -> str:
    parts = envelope.split(":") if isinstance(envelope, str) else []
    if len(parts) != 4 or parts[0] != VERSION:
        raise KeyUnreadable("This is not a sealed key of a known version.")
    nonce, sealed = _decode(parts[2]), _decode(parts[3])
    if nonce is None or sealed is None or len(nonce) != NONCE_BYTES or len(sealed) <= TAG_BYTES:
        raise KeyUnreadable("The sealed key is damaged.")
    cipher = _cipher_named(parts[1], purpose)
    if cipher is None:
        raise KeyUnreadable("The secret that sealed this key is not configured.")
    opened = _opened(cipher, nonce, sealed, associated_data)
    if opened is None:
        raise KeyUnreadable("The sealed key was changed, or belongs to another row.")
    return opened


def _opened(cipher: AESGCM, nonce: bytes, sealed: bytes, associated_data: bytes) -> str | None:
    """None instead of an exception: its frame would hold the key, and a decoding error holds it too."""
    try:
        return cipher.decrypt(nonce, sealed, associated_data).decode()
    except (InvalidTag, UnicodeDecodeError):
        return None


def _as_bytes(api_key: str) -> bytes:
    """UTF-8; empty where there is none. An encoding error would carry the text."""
    try:
        return api_key.encode()
    except UnicodeEncodeError:
        return b""


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """The bytes whose one spelling is `text`; None for padding, white space, stray bits, another alphabet."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if _encode(raw) == text else None


# --- What is stored beside it -------------------------------------------------------


def fingerprint(api_key: str) -> str:
    """Keyed fingerprint (HMAC-SHA256, 64 hex) that finds the same key again without opening any."""
    return _fingerprint(settings.ENCRYPTION_SECRET, api_key)


def has_fingerprint(api_key: str, stored: str) -> bool:
    """Whether `stored` is this key's fingerprint under any configured secret: before a rotation it is an older one."""
    live = (settings.ENCRYPTION_SECRET, *settings.ENCRYPTION_SECRET_PREVIOUS)
    return any(hmac.compare_digest(_fingerprint(secret, api_key).encode(), stored.encode()) for secret in live)


def _fingerprint(secret: str, api_key: str) -> str:
    return hmac.digest(_derive(secret, _FINGERPRINT), api_key.encode(), "sha256").hex()


MASK = "••••••••••"


def mask_api_key(*, prefix: str, last4: str) -> str:
    """What pages show of a stored key, like `sk-or-••••••••••wxyz`, from stored parts: nothing is opened."""
    return f"{prefix}{MASK}{last4}"
