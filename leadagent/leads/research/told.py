"""What a tool has answered, for people: the same words without the JSON around them. Pure."""

from __future__ import annotations

import json
from typing import Any


def told(answer: str) -> str:
    """The answer of a tool as a few lines; what is no JSON object or list stays as it is."""
    try:
        found = json.loads(answer)
    except ValueError:
        return answer
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return "\n".join(_line(one) for one in found)
    return _line(found) if isinstance(found, dict) else answer


def asked(arguments: dict[str, Any]) -> str:
    """The arguments of a call: the one that there is, or each with its name."""
    if len(arguments) == 1:
        return str(next(iter(arguments.values())))
    return ", ".join(f"{name}: {value}" for name, value in arguments.items())


def _line(found: dict[str, Any]) -> str:
    number = found.get("source")
    head = " · ".join(
        str(found[name]) for name in ("title", "name", "company", "domain", "url", "date") if found.get(name)
    )
    body = next((str(found[name]) for name in ("excerpt", "text", "message", "home_page") if found.get(name)), "")
    facts = [
        f"{fact.get('category')}: {fact.get('product')} ({fact.get('seen_in')})"
        for fact in found.get("facts", [])
        if isinstance(fact, dict)
    ]
    first = f"[{number}] {head}" if number else head
    return "\n".join(filter(None, [first, body, *facts]))
