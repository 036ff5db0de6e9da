"""Marked keys: real in shape, and recognisable by any eight characters of their middle, also in base64, hex or zlib.

Every key carries the same random marker, its sandbox mode (which makes the provider answer
or fail in a certain way) and the same last four, which may be shown.
"""

import base64
import binascii
import re
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from leadagent.sandbox.keys import MODES

PREFIXES = {"openrouter": "sk-or-v1-", "openai": "sk-proj-", "anthropic": "sk-ant-api03-"}
# These only take time; their cousins `timeout` and `drip` are what the unit tests cover.
SLOW = {"slow"}


@dataclass(frozen=True)
class Canary:
    """One run's marker. `key(...)` makes keys of it, `seen_in(...)` finds any part of them."""

    marker: str = field(default_factory=lambda: "Zq" + secrets.token_hex(14))

    def key(self, provider: str, mode: str = "") -> str:
        return f"{PREFIXES[provider]}{mode}{self.marker}wxyz"

    @cached_property
    def windows(self) -> tuple[str, ...]:
        """Every eight characters in a row of the marker, its tail with the last four included."""
        text = f"{self.marker}wxyz"
        return tuple(text[start : start + 8].lower() for start in range(len(text) - 7))

    @cached_property
    def encoded(self) -> tuple[bytes, ...]:
        """Parts of the marker as base64 has them, wherever it begins (Celery's messages are such), and as hex has them.

        Both alphabets of base64 write these letters the same way.
        """
        raw = self.marker.encode()
        whole = [base64.b64encode(raw[skipped : len(raw) - (len(raw) - skipped) % 3]) for skipped in range(3)]
        pieces = [text[start : start + 8] for text in whole for start in range(0, len(text) - 7, 4)]
        return (*pieces, *(raw[start : start + 8].hex().encode() for start in range(0, len(raw) - 7, 4)))

    def seen_in(self, text: str | bytes) -> str:
        """What of the key stands in `text`, in whatever case or encoding; empty for nothing."""
        raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
        haystack = raw.decode("latin-1").lower()
        for window in self.windows:
            if window in haystack:
                at = haystack.index(window)
                return re.sub(r"\s+", " ", haystack[max(0, at - 120) : at + 60])
        for piece in self.encoded:
            if piece in raw:
                at = raw.index(piece)
                return f"encoded: {raw[max(0, at - 120) : at + 60]!r}"
        for packed in _PACKED.findall(raw):
            if seen := self.seen_in(_unpacked(packed)):
                return f"packed: {seen}"
        return ""


# What Django signs (sessions, cookies) begins with a full stop where it is compressed; so do zlib's first two bytes.
_PACKED = re.compile(rb"\.(eJ[A-Za-z0-9_-]{16,})")


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)), 10**7)
    except (binascii.Error, zlib.error):
        return b""


def modes(provider: str) -> Iterator[str]:
    """The sandbox's ways to behave, "" for the good one first."""
    yield ""
    yield from (mode for mode in MODES if mode not in SLOW)
