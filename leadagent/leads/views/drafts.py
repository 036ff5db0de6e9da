"""Deciding on a draft: save an edit, approve and send, discard."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.forms import DraftForm, VersionForm
from leadagent.leads.models import DraftStatus, EmailDraft
from leadagent.leads.outreach import DraftConflict, approve_draft, discard_draft, edit_draft
from leadagent.leads.tasks import nudge_email
from leadagent.leads.views.pages import render_detail
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
def save(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Keep an edit without sending."""
    draft, form = _draft(request, draft_id), DraftForm(request.POST)
    if not form.is_valid():
        return render_detail(request, draft.run.lead, form=form, status=422)
    try:
        edit_draft(draft, **form.cleaned_data, by=request.user, request=request)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, form)
    messages.success(request, "The draft is saved.")
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def approve(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Approve the text on the screen and have it sent."""
    draft, form = _draft(request, draft_id), DraftForm(request.POST)
    if not form.is_valid():
        return render_detail(request, draft.run.lead, form=form, status=422)
    try:
        with transaction.atomic():
            approve_draft(draft, **form.cleaned_data, by=request.user, request=request)
            nudge_email(draft.pk)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, form)
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def discard(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Decide that nothing is sent."""
    draft, form = _draft(request, draft_id), VersionForm(request.POST)
    if not form.is_valid():
        return _back(request, draft)
    try:
        discard_draft(draft, by=request.user, version=form.cleaned_data["version"], request=request)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, None)
    messages.success(request, "The draft is discarded. Nothing was sent.")
    return _back(request, draft)


def _draft(request: HtmxHttpRequest, draft_id: UUID) -> EmailDraft:
    drafts = EmailDraft.objects.filter(run__organization=request.organization)
    return get_object_or_404(drafts.select_related("run__lead"), pk=draft_id)


def _back(request: HtmxHttpRequest, draft: EmailDraft) -> HttpResponse:
    return redirect("leads:detail", request.organization.slug, draft.run.lead_id)


def _conflict(request: HtmxHttpRequest, current: EmailDraft, form: DraftForm | None) -> HttpResponse:
    """Both texts stay: the other person's is saved and shown, one's own is back in the form, unsaved."""
    who = current.edited_by.display_name if current.edited_by else "Someone"
    if not current.is_editable:
        who = current.approved_by.display_name if current.approved_by else "Someone"
        problem = f"{who} has decided on this email already: {DraftStatus(current.status).label.lower()}."
    elif form is None:
        problem = f"{who} changed this draft in the meantime. Read the new text before you discard it."
    else:
        problem = (
            f"{who} saved another text in the meantime; it is shown below the form. Yours is in the form and not "
            "saved yet: saving it now replaces the other one."
        )
    if form is not None:
        seen = {"subject": form.cleaned_data["subject"], "body": form.cleaned_data["body"]}
        form = DraftForm(initial={**seen, "version": current.version})
    return render_detail(request, current.run.lead, form=form, problem=problem, status=409)
