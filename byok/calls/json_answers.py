"""Reading JSON that comes from outside: nothing that a provider sends makes this fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def json_object(
    raw: str | bytes | bytearray, *, parse_float: Callable[[str], Any] | None = None
) -> dict[str, Any] | None:
    """The JSON object that `raw` holds; None where it is none: cut, garbled, another type, nested too deeply."""
    try:
        value = json.loads(raw, parse_float=parse_float)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
