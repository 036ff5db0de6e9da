"""What arrived here: one JSON line per request, appended by however many processes serve.

This is the provider's own count, taken independently of the product's. A line is
written before the answer leaves, so a caller that is killed while waiting is counted.
A stream whose caller hangs up gets a note in a second file, so that the first keeps
exactly one line per request.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings


def append(entry: dict[str, Any]) -> None:
    """Add one request. Does nothing when SANDBOX_RECORD_FILE is not set."""
    if settings.SANDBOX_RECORD_FILE:
        _append_line(Path(settings.SANDBOX_RECORD_FILE), entry)


def note_cancelled(answer_id: str, usage: dict[str, Any]) -> None:
    """Remember that the caller hung up while the answer of that id streamed, and what it used until then."""
    if settings.SANDBOX_RECORD_FILE:
        _append_line(_cancellations(), {"id": answer_id, "usage": usage})


def entries(
    *, since: datetime | None = None, key_sha256: str = "", kind: str = "", wire: str = ""
) -> list[dict[str, Any]]:
    """The recorded requests in order of arrival, narrowed by whatever is given.

    A cancelled stream has `cancelled` true and the usage up to its end.
    """
    if not settings.SANDBOX_RECORD_FILE:
        return []
    cancelled = {note["id"]: note["usage"] for note in _lines(_cancellations())}
    found = []
    for entry in _lines(Path(settings.SANDBOX_RECORD_FILE)):
        if since is not None and datetime.fromisoformat(entry["time"]) < since:
            continue
        if any(wanted and entry[name] != wanted for name, wanted in _named(key_sha256, kind, wire)):
            continue
        if entry["id"] in cancelled:
            entry |= {"cancelled": True, "usage": cancelled[entry["id"]]}
        found.append(entry)
    return found


def spent(key_sha256: str, *, since: datetime | None = None) -> Decimal:
    """US dollars that requests with this key have cost, by this record."""
    costs = ((entry["usage"] or {}).get("cost") for entry in entries(since=since, key_sha256=key_sha256))
    return sum((Decimal(cost) for cost in costs if cost), Decimal(0))


def empty() -> None:
    """Forget every request. Writers at work carry on at the start of the emptied file."""
    if settings.SANDBOX_RECORD_FILE:
        for path in (Path(settings.SANDBOX_RECORD_FILE), _cancellations()):
            if path.exists():
                os.truncate(path, 0)


def now() -> datetime:
    """The time that a line carries."""
    return datetime.now(UTC)


def _named(key_sha256: str, kind: str, wire: str) -> tuple[tuple[str, str], ...]:
    return ("key_sha256", key_sha256), ("kind", kind), ("wire", wire)


def _cancellations() -> Path:
    return Path(f"{settings.SANDBOX_RECORD_FILE}.cancelled")


def _append_line(path: Path, entry: dict[str, Any]) -> None:
    line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    # One write on an appending descriptor: lines of several processes never mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            # A line without its end is still being written.
            yield from (json.loads(line) for line in file if line.endswith("\n"))
