"""Writing, changing and deleting notes about a lead; who may is `LeadNote.may_change`."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from leadagent.leads.models import Lead, LeadNote
from leadagent.tenants import audit
from leadagent.tenants.models import User

# A page shows so many, newest first.
SHOWN = 100


def notes_of(lead: Lead) -> QuerySet[LeadNote]:
    """The notes about a lead with their authors, newest first."""
    return lead.notes.select_related("author").order_by("-created_at", "-pk")


def add_note(lead: Lead, text: str, *, by: User | None, request: HttpRequest | None = None) -> LeadNote:
    """Store a note. `text` is cleaned; `by` is None for a token of the API."""
    with transaction.atomic():
        note = LeadNote.objects.create(organization=lead.organization, lead=lead, author=by, text=text)
        _record("lead.note_added", note, by=by, request=request)
    return note


def edit_note(note: LeadNote, text: str, *, by: User, request: HttpRequest | None = None) -> None:
    """Put another text in its place. The earlier one is not kept."""
    if text == note.text:
        return
    with transaction.atomic():
        note.text, note.edited_at = text, timezone.now()
        note.save(update_fields=["text", "edited_at"])
        _record("lead.note_edited", note, by=by, request=request)


def delete_note(note: LeadNote, *, by: User, request: HttpRequest | None = None) -> None:
    """Delete a note for good."""
    with transaction.atomic():
        _record("lead.note_deleted", note, by=by, request=request)
        note.delete()


def _record(action: str, note: LeadNote, *, by: User | None, request: HttpRequest | None) -> None:
    Lead.objects.filter(pk=note.lead_id).update(last_activity_at=timezone.now())
    # Not its text: the audit log outlives a note that was deleted for what stood in it.
    audit.record(
        action,
        organization=note.organization,
        actor=by,
        target=f"lead {note.lead_id}",
        after={"note": str(note.pk)},
        request=request,
    )
