"""The stored keys' state as real traffic shows it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from byok.error_kinds import KINDS
from byok.errors import AIError
from byok.models import CredentialStatus, ProviderCredential
from usage.recording import durable
from usage.recording.events import CallFinished

logger = logging.getLogger(__name__)

# `last_used_at` is for people: to the ten minutes is enough, a write per call is not.
_COARSE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A key's row as a call knows it: its state when it was read (`read_at`, monotonic seconds)."""

    id: UUID
    provider: str
    status: str
    saved_at: datetime
    read_at: float

    @classmethod
    def of(cls, row: ProviderCredential, *, read_at: float | None = None) -> KnownCredential:
        return cls(row.id, row.provider, row.status, row.saved_at, time.monotonic() if read_at is None else read_at)


@dataclass(frozen=True, slots=True)
class _Noted:
    """What this process last wrote about a key, as it was saved at `saved_at`."""

    saved_at: datetime
    status: str
    written: float


_last_noted: dict[UUID, _Noted] = {}

_STATUS_OF = {
    "": CredentialStatus.OK,
    "invalid_key": CredentialStatus.REJECTED,
    "no_credit": CredentialStatus.NO_CREDIT,
    "key_limit": CredentialStatus.NO_CREDIT,
}

# A key in one of these states is of no use until somebody replaces or repairs it.
REFUSED = (CredentialStatus.REJECTED, CredentialStatus.UNREADABLE)
# And no call gets through with one in any of these.
FAILING = (*REFUSED, CredentialStatus.NO_CREDIT)

# A refusal begins when the state turns to one, and is told once; any other state ends it.
_UPDATE = """
UPDATE byok_providercredential SET last_used_at = now(), status = coalesce(%(status)s, status),
status_message = coalesce(%(message)s, status_message),
checked_at = CASE WHEN %(status)s::text IS NULL THEN checked_at ELSE now() END,
refused_since = CASE WHEN %(status)s::text IS NULL THEN refused_since
    WHEN NOT %(refused)s THEN NULL
    WHEN status = ANY(%(refused_states)s) THEN coalesce(refused_since, clock_timestamp())
    ELSE clock_timestamp() END,
rejection_told_at = CASE WHEN %(status)s::text IS NULL OR (%(refused)s AND status = ANY(%(refused_states)s))
    THEN rejection_told_at ELSE NULL END
WHERE id = %(id)s AND saved_at = %(saved_at)s
"""


def note_outcome(event: CallFinished, credential: KnownCredential | None) -> None:
    """Note a key's last use, and its new status when the provider's answer shows another than the known one.

    Never raises: a call is not failed for its bookkeeping.
    """
    if credential is None:
        return
    noted = _last_noted.get(credential.id)
    if noted is not None and noted.saved_at != credential.saved_at:
        noted = None
    # Of the row and our own last note, the younger one is what is known.
    known = noted.status if noted and noted.written > credential.read_at else credential.status
    status = _STATUS_OF.get(event.error_code)
    is_recent = noted is not None and time.monotonic() - noted.written < _COARSE_SECONDS
    if status in (None, known) and is_recent:
        return
    message = None
    if status is not None:
        message = AIError(event.error_code, provider=event.provider).sentence if event.error_code in KINDS else ""
    _write(credential, status, message, last_status=status or known)


def note_unreadable(credential: KnownCredential | None) -> None:
    """The sealed key did not open: the settings page is to say so, and no longer that it is connected."""
    if credential is not None and credential.status != CredentialStatus.UNREADABLE:
        sentence = AIError("key_unreadable", provider=credential.provider).sentence
        _write(credential, CredentialStatus.UNREADABLE, sentence, last_status=CredentialStatus.UNREADABLE)


def _write(
    credential: KnownCredential, status: CredentialStatus | None, message: str | None, *, last_status: str
) -> None:
    values = {
        "id": credential.id,
        # What became of a replaced key says nothing about the one that took its place.
        "saved_at": credential.saved_at,
        "status": status.value if status else None,
        "message": message,
        "refused": status in REFUSED,
        "refused_states": [state.value for state in REFUSED],
    }
    try:
        with durable.connection() as connection:
            connection.execute(_UPDATE, values)
    except (psycopg.Error, PoolTimeout):
        logger.warning("the state of credential %s could not be noted", credential.id)
        return
    _last_noted[credential.id] = _Noted(credential.saved_at, last_status, time.monotonic())
