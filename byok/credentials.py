"""The stored keys' state as real traffic shows it."""

from __future__ import annotations

import logging
import time
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
_last_noted: dict[UUID, float] = {}

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
WHERE id = %(id)s
"""


def note_outcome(event: CallFinished, *, known_status: str) -> None:
    """Note a key's last use, and its new status when the provider's answer shows another than the known one.

    Never raises: a call is not failed for its bookkeeping.
    """
    if event.credential_id is None:
        return
    status = _STATUS_OF.get(event.error_code)
    is_news = status is not None and status != known_status
    now = time.monotonic()
    if not is_news and now - _last_noted.get(event.credential_id, float("-inf")) < _COARSE_SECONDS:
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
                    "status": status.value if status else None,
                    "message": message,
                },
            )
    except (psycopg.Error, PoolTimeout):
        logger.warning("the last use of credential %s could not be noted", event.credential_id)
        return
    _last_noted[event.credential_id] = now
