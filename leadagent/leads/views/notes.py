"""Notes about a lead: write one on its page, change or delete one on a page of its own."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.inbox.forms import NoteForm
from leadagent.leads.inbox.notes import add_note, delete_note, edit_note
from leadagent.leads.models import Lead, LeadNote
from leadagent.leads.views.note_panel import notes_context
from leadagent.leads.views.pages import render_detail
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
def add(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Write a note. htmx gets the panel back; others the lead's page."""
    lead = get_object_or_404(request.organization.leads, pk=lead_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        if request.htmx:
            return _panel(request, lead, form, status=422)
        return render_detail(request, lead, note_form=form, status=422)
    add_note(lead, form.cleaned_data["text"], by=request.user, request=request)
    if request.htmx:
        return _panel(request, lead, NoteForm())
    return _back(request, lead.pk)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HtmxHttpRequest, note_id: UUID) -> HttpResponse:
    """Change a note's text."""
    note = _note(request, note_id)
    if not note.may_change(request.membership):
        return _refused(request, note)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"text": note.text})
    if request.method == "POST" and form.is_valid():
        edit_note(note, form.cleaned_data["text"], by=request.user, request=request)
        messages.success(request, "The note is saved.")
        return _back(request, note.lead_id)
    return render(request, "leads/note.html", {"note": note, "form": form}, status=422 if form.errors else 200)


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HtmxHttpRequest, note_id: UUID) -> HttpResponse:
    """Ask, then delete a note."""
    note = _note(request, note_id)
    if not note.may_change(request.membership):
        return _refused(request, note)
    if request.method != "POST":
        return render(request, "leads/note_delete.html", {"note": note})
    delete_note(note, by=request.user, request=request)
    messages.success(request, "The note is deleted.")
    return _back(request, note.lead_id)


def _note(request: HtmxHttpRequest, note_id: UUID) -> LeadNote:
    return get_object_or_404(request.organization.lead_notes.select_related("lead"), pk=note_id)


def _refused(request: HtmxHttpRequest, note: LeadNote) -> HttpResponse:
    """Who only looks is led back to the lead; who acts is refused."""
    reason = "Only who wrote a note, or an admin, can change it."
    if request.method == "POST":
        raise PermissionDenied(reason)
    messages.warning(request, reason)
    return _back(request, note.lead_id)


def _panel(request: HtmxHttpRequest, lead: Lead, form: NoteForm, *, status: int = 200) -> HttpResponse:
    return render(request, "leads/notes.html", notes_context(request, lead, form), status=status)


def _back(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    return redirect(f"{reverse('leads:detail', args=[request.organization.slug, lead_id])}#notes")
