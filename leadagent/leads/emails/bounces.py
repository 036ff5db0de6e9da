"""Delivery status notifications (RFC 3464): read one, find the email that it is about, keep what it says.

Anybody may send us such a mail and write anything into it. It is matched by the Message-ID,
which only the mail's recipient has seen; it can change what is shown, and send nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message

from django.db import transaction
from django.utils import timezone

from leadagent.leads.models import DeliveryKind, DeliveryReport, DraftStatus, EmailDraft, LeadStatus
from leadagent.leads.running.run_state import lock_run, set_lead
from leadagent.leads.text import one_line
from leadagent.tenants import audit

# The notice and the headers of the returned mail come first; what follows is our own text.
LARGEST = 1024 * 1024
_MOST_REPORTS = 20
_MOST_PARTS = 50
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,190}>")
_STATUS = re.compile(r"^[245]\.\d{1,3}\.\d{1,3}")
_CODE = re.compile(r"\b([45]\d\d)\b")
_KINDS = {"failed": DeliveryKind.RETURNED, "delayed": DeliveryKind.DELAYED}


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a notice says: about which mails it may be, and what became of it."""

    message_ids: tuple[str, ...]
    kind: DeliveryKind
    status: str
    code: int | None
    text: str
    recipient: str


def read_bounce(raw: bytes) -> Bounce | None:
    """The first failure or delay that a notice tells; None for any other mail. Never raises."""
    try:
        return _read(message_from_bytes(raw[:LARGEST]))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
        # The parser gives up on what was made to break it.
        return None


def take_bounce(raw: bytes) -> str:
    """Keep what a notice says with the email it is about; one sentence on what was done."""
    bounce = read_bounce(raw)
    if bounce is None:
        return "No delivery status notification of a failure or delay; nothing was done."
    draft = (
        EmailDraft.objects.filter(message_id__in=bounce.message_ids)
        .exclude(status__in=[DraftStatus.DRAFT, DraftStatus.SCHEDULED, DraftStatus.DISCARDED])
        .first()
    )
    if draft is None:
        return "A notice about none of our emails; nothing was done."
    with transaction.atomic():
        return _store(draft, bounce)


def _store(draft: EmailDraft, bounce: Bounce) -> str:
    run = lock_run(draft.run_id)
    known = DeliveryReport.objects.filter(draft=draft)
    same = known.filter(kind=bounce.kind, status=bounce.status, text=bounce.text, recipient=bounce.recipient)
    if run is None or same.exists() or known.count() >= _MOST_REPORTS:
        return f"Known already for email {draft.pk}; nothing was done."
    is_returned = bounce.kind == DeliveryKind.RETURNED
    DeliveryReport.objects.create(
        draft=draft,
        kind=bounce.kind,
        code=bounce.code,
        status=bounce.status,
        text=bounce.text,
        is_permanent=is_returned,
        recipient=bounce.recipient,
    )
    if is_returned:
        EmailDraft.objects.filter(pk=draft.pk).update(bounced_at=timezone.now())
        set_lead(run.lead, LeadStatus.ATTENTION)
        audit.record(
            "email.returned",
            organization=run.lead.organization,
            target=f"email {draft.pk}",
            after={"status": bounce.status, "text": bounce.text},
        )
    return f"Stored as {bounce.kind.label.lower()} for email {draft.pk}."


def _read(message: Message) -> Bounce | None:
    parts = list(_parts(message))
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        for block in _blocks(part):
            kind = _KINDS.get(_field(block, "Action").lower())
            if kind is None:
                continue
            said = _field(block, "Diagnostic-Code")
            text = said.partition(";")[2].strip() if ";" in said[:40] else said
            status = _STATUS.match(_field(block, "Status"))
            code = _CODE.search(text)
            recipient = _field(block, "Original-Recipient") or _field(block, "Final-Recipient")
            return Bounce(
                message_ids=tuple(dict.fromkeys(_message_ids(message, parts)))[:10],
                kind=kind,
                status=status[0] if status else "",
                code=int(code[1]) if code else None,
                text=one_line(text, limit=500),
                recipient=one_line(recipient.rpartition(";")[2], limit=254),
            )
    return None


def _parts(message: Message) -> Iterator[Message]:
    for count, part in enumerate(message.walk()):
        if count >= _MOST_PARTS:
            return
        yield part


def _blocks(part: Message) -> list[Message]:
    """The groups of fields of a notice: about the message, then one per recipient."""
    payload = part.get_payload()
    return [block for block in payload if isinstance(block, Message)][:_MOST_PARTS] if isinstance(payload, list) else []


def _message_ids(notice: Message, parts: list[Message]) -> Iterator[str]:
    """Of the returned mail; else of what the notice says that it answers."""
    for part in parts[1:]:
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
            yield from _MESSAGE_ID.findall(_field(message_from_string(text), "Message-ID"))
        yield from _MESSAGE_ID.findall(_field(part, "Message-ID"))
    for name in ("In-Reply-To", "References"):
        yield from _MESSAGE_ID.findall(_field(notice, name))


def _field(message: Message, name: str) -> str:
    return one_line(str(message.get(name, "")), limit=2000)
