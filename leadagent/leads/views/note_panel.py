"""The notes on the page of a lead."""

from typing import Any

from django.urls import reverse

from leadagent.http import HtmxHttpRequest
from leadagent.leads.inbox.forms import NoteForm
from leadagent.leads.inbox.notes import SHOWN, notes_of
from leadagent.leads.models import Lead, LeadNote
from leadagent.tenants.models import Role


def notes_context(request: HtmxHttpRequest, lead: Lead, form: NoteForm | None = None) -> dict[str, Any]:
    """What `leads/notes.html` reads; one query."""
    org = request.organization.slug
    found = list(notes_of(lead)[: SHOWN + 1])
    return {
        "notes": [
            {
                "note": note,
                "author": note.author.display_name if note.author else "Not a person's account",
                **(_addresses(org, note) if note.may_change(request.membership) else {}),
            }
            for note in found[:SHOWN]
        ],
        "has_older_notes": len(found) > SHOWN,
        "note_form": (form or NoteForm()) if request.membership.may(Role.MEMBER) else None,
        "note_add_url": reverse("leads:note_add", args=[org, lead.pk]),
    }


def _addresses(org: str, note: LeadNote) -> dict[str, str]:
    return {
        "edit_url": reverse("leads:note_edit", args=[org, note.pk]),
        "delete_url": reverse("leads:note_delete", args=[org, note.pk]),
        "dialog": f"delete-note-{note.pk}",
    }
