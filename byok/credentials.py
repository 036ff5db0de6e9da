"""The stored keys' state as real traffic shows it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from byok.errors import KINDS, AIError
from byok.models import CredentialStatus
from usage import durable
from usage.events import CallFinished

logger = logging.getLogger(__name__)

# `last_used_at` is for people: to the ten minutes is enough, a write per call is not.
_COARSE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class _Noted:
    """What this process last wrote about a key, as it was saved at `saved_at`."""

    saved_at: datetime | None
    status: str
    written: float


_last_noted: dict[UUID, _Noted] = {}

_STATUS_OF = {
    "": CredentialStatus.OK,
    "invalid_key": CredentialStatus.REJECTED,
    "no_credit": CredentialStatus.NO_CREDIT,
    "key_limit": CredentialStatus.NO_CREDIT,
}

_UPDATE = """
UPDATE byok_providercredential SET last_used_at = now(), status = coalesce(%(status)s, status),
status_message = coalesce(%(message)s, status_message),
checked_at = CASE WHEN %(status)s::text IS NULL THEN checked_at ELSE now() END
WHERE id = %(id)s AND (%(saved_at)s::timestamptz IS NULL OR updated_at = %(saved_at)s)
"""


def note_outcome(event: CallFinished, *, known_status: str, saved_at: datetime | None) -> None:
    """Note a key's last use, and its new status when the provider's answer shows another than the known one.

    `known_status` and `saved_at` are the key's row as it was when the model was resolved;
    a client that is kept for long is told apart from a newly saved key by the latter.
    Never raises: a call is not failed for its bookkeeping.
    """
    if event.credential_id is None:
        return
    status = _STATUS_OF.get(event.error_code)
    noted = _last_noted.get(event.credential_id)
    if noted is not None and noted.saved_at == saved_at:
        known_status = noted.status
    else:
        noted = None
    now = time.monotonic()
    is_news = status is not None and status != known_status
    if not is_news and noted is not None and now - noted.written < _COARSE_SECONDS:
        return
    message = None
    if status is not None:
        message = AIError(event.error_code, provider=event.provider).sentence if event.error_code in KINDS else ""
    try:
        with durable.connection() as connection:
            connection.execute(
                _UPDATE,
                {
                    "id": event.credential_id,
                    # What became of a replaced key says nothing about the one that took its place.
                    "saved_at": saved_at,
                    "status": status.value if status else None,
                    "message": message,
                },
            )
    except (psycopg.Error, PoolTimeout):
        logger.warning("the last use of credential %s could not be noted", event.credential_id)
        return
    _last_noted[event.credential_id] = _Noted(saved_at, status or known_status, now)
