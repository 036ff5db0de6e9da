"""Placeholders in the text of a prompt: which there are, which are none, what comes of them. Pure.

Only `{name}` is a placeholder. Nothing is looked up in anything: no attributes, no formats.
Other braces, as in an example of JSON, stay as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

_PLACEHOLDER = re.compile(r"\{\s*([^\W\d][\w.\-]*)\s*\}")


def unknown_placeholders(text: str, known: Collection[str]) -> list[str]:
    """The names in braces that are none of `known`, each once, in order."""
    return [name for name in dict.fromkeys(_PLACEHOLDER.findall(text)) if name not in known]


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced, in one pass: what a value holds is not looked through again.

    Lines that are empty because their placeholders were are left out.
    """
    lines = []
    for line in text.splitlines():
        filled = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), line)
        if filled.strip() or not line.strip():
            lines.append(filled)
    return "\n".join(lines)


def digest_of(text: str, rules: str) -> str:
    """SHA-256, in hex, of everything that a prompt says before its placeholders are filled in."""
    return hashlib.sha256(f"{text}\n{rules}".encode()).hexdigest()
