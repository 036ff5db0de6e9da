"""Bringing events back that waited on the local disk while PostgreSQL was away."""

from __future__ import annotations

import json
from typing import Any

from django.db import DataError, connection, transaction

from usage.recording import spool


def replay_spool() -> int:
    """Bring events that waited on the local disk into the inbox. Returns how many."""
    with spool.only_replay() as is_mine:
        taken = spool.take() if is_mine else None
        if taken is None:
            return 0
        brought = 0
        for entries in spool.entries(taken):
            _replay(entries)
            brought += len(entries)
        spool.done(taken)
        return brought


def _replay(entries: list[dict[str, Any]]) -> None:
    try:
        _put_into_inbox(entries)
    except DataError:
        # One of them holds what PostgreSQL cannot: it is kept apart, the others go on.
        for entry in entries:
            try:
                _put_into_inbox([entry])
            except DataError:
                spool.reject(entry)


def _put_into_inbox(entries: list[dict[str, Any]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO usage_usageinbox (event_id, kind, payload) VALUES (%s, %s, %s::jsonb)",
            [(entry["event_id"], entry["kind"], json.dumps(entry["payload"])) for entry in entries],
        )
