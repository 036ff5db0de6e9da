"""Events that could not become rows: put aside with the reason, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from leadagent.tenants import audit
from leadagent.tenants.models import Organization
from usage.models import DeadLetter, DeadLetterKind, InboxKind, UsageInbox


def organization_of(payload: Mapping[str, Any]) -> Organization | None:
    """Whose event it is, as far as a damaged payload tells."""
    named = payload.get("organization_id")
    return Organization.objects.filter(pk=named).first() if isinstance(named, int) else None


def try_again(letter_id: int, *, request: HttpRequest | None = None) -> bool:
    """Put an event back into the inbox, and say so in the audit log. False where there is none that can be tried.

    One that was put aside for telling other figures is not tried again: the first figures stand.
    """
    with transaction.atomic():
        letters = DeadLetter.objects.select_for_update().filter(pk=letter_id, kind=DeadLetterKind.UNSTORABLE)
        letter = letters.first()
        if letter is None:
            return False
        UsageInbox.objects.create(event_id=letter.event_id, kind=InboxKind.FINISHED, payload=letter.payload)
        letter.delete()
        audit.record(
            "support.event_retried",
            organization=organization_of(letter.payload),
            target=str(letter.event_id),
            before={"reason": letter.reason},
            request=request,
        )
    return True
