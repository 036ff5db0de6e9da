"""Deciding on a draft: save an edit, have it rewritten, approve and send now or later, discard, look back."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.forms import DraftForm, RestoreForm, RewriteForm, ScheduleForm, VersionForm
from leadagent.leads.emails.outreach import (
    DraftConflict,
    approve_draft,
    cancel_schedule,
    discard_draft,
    edit_draft,
    restore_revision,
)
from leadagent.leads.emails.rewrite_fallback import NothingToGrant, grant_rewrite
from leadagent.leads.emails.rewriting import RewriteConflict, ask_for_rewrite, cancel_rewrite
from leadagent.leads.models import DraftRevision, DraftStatus, EmailDraft
from leadagent.leads.tasks import nudge_email, nudge_rewrite
from leadagent.leads.text_diff import compare
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
        edit_draft(draft, **form.text(), by=request.user, request=request)
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
            approve_draft(draft, **form.text(), by=request.user, request=request)
            nudge_email(draft.pk)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, form)
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def schedule(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Approve the text on the screen and have it sent at a later time."""
    draft, form = _draft(request, draft_id), ScheduleForm(request.POST)
    if not form.is_valid():
        return render_detail(request, draft.run.lead, form=form, status=422)
    send_at = form.cleaned_data["send_at"]
    try:
        approve_draft(draft, **form.text(), by=request.user, send_at=send_at, request=request)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, form)
    messages.success(request, f"The email is sent on {send_at:%Y-%m-%d at %H:%M} UTC.")
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def unschedule(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Take an email back that waits for its time."""
    draft, form = _draft(request, draft_id), VersionForm(request.POST)
    if not form.is_valid():
        return _back(request, draft)
    try:
        cancel_schedule(draft, by=request.user, version=form.cleaned_data["version"], request=request)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, None)
    messages.success(request, "The email will not be sent by itself. It is a draft again.")
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def rewrite(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Keep the text on the screen, and have a model write it anew as the person says: a paid call."""
    draft, form = _draft(request, draft_id), RewriteForm(request.POST)
    if not form.is_valid():
        return render_detail(request, draft.run.lead, form=form, status=422)
    try:
        with transaction.atomic():
            asked = ask_for_rewrite(
                draft, form.cleaned_data["instruction"], **form.text(), by=request.user, request=request
            )
            nudge_rewrite(asked.pk)
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, form)
    except RewriteConflict:
        messages.warning(request, "This email is being rewritten already.")
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def rewrite_cancel(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Give up a rewrite that is under way."""
    draft = _draft(request, draft_id)
    if cancel_rewrite(draft):
        messages.success(request, "The rewrite is given up. The text is as it was.")
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def rewrite_fallback(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Let the platform's AI do a rewrite for which the own key failed, where an admin has left that to people."""
    draft = _draft(request, draft_id)
    try:
        with transaction.atomic():
            nudge_rewrite(grant_rewrite(draft, by=request.user, request=request).pk)
    except NothingToGrant as problem:
        messages.warning(request, str(problem))
    return _back(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def restore(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Make an earlier text the draft again."""
    draft, form = _draft(request, draft_id), RestoreForm(request.POST)
    if not form.is_valid():
        return _back(request, draft)
    number = form.cleaned_data["number"]
    try:
        restore_revision(draft, number, by=request.user, version=form.cleaned_data["version"], request=request)
    except DraftRevision.DoesNotExist:
        raise Http404("No such text.") from None
    except DraftConflict as conflict:
        return _conflict(request, conflict.current, None)
    messages.success(request, f"Text {number} is the draft again.")
    return _back(request, draft)


@organization_view(Role.VIEWER)
@require_safe
def history(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Every text of the draft, and what changed between two of them."""
    draft = _draft(request, draft_id)
    texts = list(draft.revisions.select_related("author"))
    numbers = {text.number: text for text in texts}
    new = numbers.get(_number(request.GET.get("new", ""))) or (texts[-1] if texts else None)
    old = numbers.get(_number(request.GET.get("old", ""))) or (
        numbers.get(new.number - 1, texts[0]) if new is not None else None
    )
    org = request.organization.slug
    context = {
        "draft": draft,
        "lead": draft.run.lead,
        "texts": texts[::-1],
        "old": old,
        "new": new,
        "pieces": compare(_whole(old), _whole(new)) if old and new else [],
        "back_url": reverse("leads:detail", args=[org, draft.run.lead_id]),
        "restore_url": reverse("leads:draft_restore", args=[org, draft.pk])
        if draft.is_editable and request.membership.may(Role.MEMBER)
        else "",
    }
    return render(request, "leads/draft_history.html", context)


def _number(written: str) -> int:
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 9 else 0


def _whole(text: DraftRevision) -> str:
    return f"{text.subject}\n\n{text.body}\n"


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
        problem = f"{who} changed this draft in the meantime. Read the new text before you decide."
    else:
        problem = (
            f"{who} saved another text in the meantime; it is shown below the form. Yours is in the form and not "
            "saved yet: saving it now replaces the other one."
        )
    if form is not None:
        seen = {"subject": form.cleaned_data["subject"], "body": form.cleaned_data["body"]}
        kept = {name: form.data.get(name, "") for name in ("instruction", "send_at")}
        form = DraftForm(initial={**seen, **kept, "version": current.version})
    return render_detail(request, current.run.lead, form=form, problem=problem, status=409)
