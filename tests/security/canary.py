"""Marked keys: real in shape, and recognisable by any eight characters of their middle.

Every key carries the same random marker, its sandbox mode (which makes the provider answer
or fail in a certain way) and the same last four, which may be shown.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

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

    @property
    def windows(self) -> tuple[str, ...]:
        """Every eight characters in a row of the marker, its tail with the last four included."""
        text = f"{self.marker}wxyz"
        return tuple(text[start : start + 8] for start in range(len(text) - 7))

    def seen_in(self, text: str | bytes) -> str:
        """What of the key stands in `text`, in whatever case, also in base64's neighbourhood; empty for nothing."""
        haystack = (text.decode("latin-1") if isinstance(text, bytes) else text).lower()
        for window in self.windows:
            if window.lower() in haystack:
                at = haystack.index(window.lower())
                return re.sub(r"\s+", " ", haystack[max(0, at - 120) : at + 60])
        return ""


def modes(provider: str) -> Iterator[str]:
    """The sandbox's ways to behave, "" for the good one first."""
    yield ""
    yield from (mode for mode in MODES if mode not in SLOW)
