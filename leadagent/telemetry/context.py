"""What the log lines of one request, one task or one step of a run have in common: their ids.

Kept in context variables, so that it follows the work: into the event loop that an agent runs on, and into the
threads that its tools and its accounting run on. Values are ids, never texts of people or models.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

from leadagent.logs import scrub

__all__ = ["bind", "bound", "current_request_id", "fresh_context", "request_id_from"]

# What proxies send: UUIDs, hex, ULIDs, and AWS's Root=1-… with its signs.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=\-]{7,99}")


def request_id_from(given: str) -> str:
    """The id that a caller gave, where it looks like one; otherwise a new one of 16 hex digits."""
    if _WELL_FORMED.fullmatch(given) and scrub(given) == given:
        return given
    return secrets.token_hex(8)


def current_request_id() -> str:
    """The id of the request that this work is about, or that caused it; empty where there is none."""
    return str(get_contextvars().get("request_id", ""))


def bind(**ids: Any) -> None:
    """Put ids on every further line of this request or task."""
    bind_contextvars(**_as_text(ids))


@contextmanager
def bound(**ids: Any) -> Iterator[None]:
    """Put ids on every line inside this block."""
    with bound_contextvars(**_as_text(ids)):
        yield


@contextmanager
def fresh_context(**ids: Any) -> Iterator[None]:
    """Begin with these ids only, and give back at the end what was there: threads serve one request after another."""
    before = get_contextvars()
    clear_contextvars()
    bind(**ids)
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)


def _as_text(ids: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in ids.items()}
