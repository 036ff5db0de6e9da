"""Where events wait while PostgreSQL is away: one fsynced line per event on the local disk.

Bounded by `USAGE_SPOOL_MAX_BYTES`. What waits here is told by `/readyz` and `/metrics`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from usage.recording.events import time_of

logger = logging.getLogger(__name__)

# So many entries are brought back in one go: a full spool must not fill the memory.
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Spooled:
    """What waits on this disk. `oldest` is when the first waiting call began; `rejected_bytes` wait for a person."""

    bytes: int = 0
    oldest: datetime | None = None
    rejected_bytes: int = 0


def append(entry: dict[str, Any]) -> bool:
    """Write one entry durably. False (and an error in the log) when the spool cannot take it."""
    path = _path()
    line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path) as spool:
            size = spool.seek(0, os.SEEK_END)
            if size + len(line) > settings.USAGE_SPOOL_MAX_BYTES:
                logger.error("usage spool is full (%d bytes): it cannot take event %s", size, entry.get("event_id"))
                return False
            try:
                # A line that was cut short (a full disk, a kill) must not swallow this one.
                _write_whole(spool, line if _ends_clean(spool, size) else b"\n" + line)
                os.fsync(spool.fileno())
                if size == 0:
                    # A new file's name has to outlive a crash of the machine too.
                    _sync_directory(path.parent)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(spool.fileno(), size)
                raise
    except OSError as exc:
        logger.error(
            "usage spool cannot be written (%s): it cannot take event %s",
            exc.strerror,
            entry.get("event_id"),
        )
        return False
    logger.warning("PostgreSQL is away: usage event %s waits in the spool", entry.get("event_id"))
    return True


def take() -> Path | None:
    """Set the waiting entries aside for one replay, or None when there are none; `entries` reads them.

    The file stays until `done` removes it: a replay that dies is repeated, and the
    events' ids make the repetition harmless.
    """
    path = _path()
    taken = path.with_suffix(".replaying")
    if not taken.exists():
        if not path.exists() or path.stat().st_size == 0:
            return None
        with path.open("ab") as spool:
            fcntl.flock(spool, fcntl.LOCK_EX)
            path.rename(taken)
    return taken


def entries(taken: Path) -> Iterator[list[dict[str, Any]]]:
    """The entries of a file from `take`, some hundred at a time. Damaged lines are kept apart."""
    block: list[dict[str, Any]] = []
    with taken.open("rb") as lines:
        for line in lines:
            stripped = line.rstrip(b"\n")
            if not stripped:
                continue
            entry = _entry(stripped)
            if entry is None:
                logger.error("usage spool: a damaged line of %d bytes is kept in usage.rejected", len(stripped))
                _keep_apart(stripped)
                continue
            block.append(entry)
            if len(block) == _BLOCK:
                yield block
                block = []
    if block:
        yield block


def spooled() -> Spooled:
    """What waits on this disk now; nothing where the spool cannot be read."""
    path = _path()
    try:
        waiting = [file for file in (path.with_suffix(".replaying"), path) if file.exists()]
        rejected = path.with_suffix(".rejected")
        return Spooled(
            bytes=sum(file.stat().st_size for file in waiting),
            oldest=min(filter(None, map(_oldest_in, waiting)), default=None),
            rejected_bytes=rejected.stat().st_size if rejected.exists() else 0,
        )
    except OSError:
        return Spooled()


def _oldest_in(file: Path) -> datetime | None:
    """Lines are appended in order, so the first readable one is the oldest."""
    with file.open("rb") as lines:
        for line in lines:
            entry = _entry(line)
            if entry is not None:
                with suppress(ValueError, OverflowError, OSError):
                    return time_of(UUID(str(entry["event_id"])))
    return None


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"event_id", "kind", "payload"} <= entry.keys() else None


def _write_whole(spool: FileIO, line: bytes) -> None:
    if spool.write(line) != len(line):
        # The disk took the beginning: it is full.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _ends_clean(spool: FileIO, size: int) -> bool:
    if size == 0:
        return True
    spool.seek(size - 1)
    return spool.read(1) == b"\n"


@contextmanager
def only_replay() -> Iterator[bool]:
    """True for one replay at a time on this machine: a second one could remove what the first is about to read."""
    try:
        directory = os.open(_path().parent, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(directory)


def reject(entry: dict[str, Any]) -> None:
    """Keep an entry that PostgreSQL will never take, for a person to look at."""
    logger.error("usage event %s cannot be stored: it is kept in usage.rejected", entry.get("event_id"))
    _keep_apart(json.dumps(entry, separators=(",", ":")).encode())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_apart(line: bytes) -> None:
    with _path().with_suffix(".rejected").open("ab") as rejected:
        rejected.write(line + b"\n")
        rejected.flush()
        os.fsync(rejected.fileno())


def done(taken: Path) -> None:
    """The entries have reached PostgreSQL."""
    taken.unlink(missing_ok=True)


def _locked(path: Path) -> FileIO:
    """The spool file, open and locked for writing; a replay may have renamed it between the two."""
    while True:
        # Unbuffered: what the disk refused must not be tried again when the file is closed.
        spool = path.open("a+b", buffering=0)
        fcntl.flock(spool, fcntl.LOCK_EX)
        if path.exists() and os.fstat(spool.fileno()).st_ino == path.stat().st_ino:
            return spool
        spool.close()


def _path() -> Path:
    return Path(settings.USAGE_SPOOL_DIR) / "usage.jsonl"
