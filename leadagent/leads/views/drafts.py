"""Deciding on a draft: save an edit, approve it and have it sent now or later, take that back, discard it."""

from django.contrib import messages
from django.db import transaction
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.deciding import approve_draft, cancel_schedule, discard_draft, edit_draft
from leadagent.leads.emails.forms import DraftForm, ScheduleForm, VersionForm
from leadagent.leads.models import EmailDraft
from leadagent.leads.tasks import nudge_email
from leadagent.leads.views.on_draft import on_draft
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
@on_draft(DraftForm)
def save(request: HtmxHttpRequest, draft: EmailDraft, form: DraftForm) -> None:
    """Keep an edit without sending."""
    edit_draft(draft, **form.text(), by=request.user, request=request)
    messages.success(request, "The draft is saved.")


@organization_view(Role.MEMBER)
@require_POST
@on_draft(DraftForm)
def approve(request: HtmxHttpRequest, draft: EmailDraft, form: DraftForm) -> None:
    """Approve the text on the screen and have it sent."""
    with transaction.atomic():
        approve_draft(draft, **form.text(), by=request.user, request=request)
        nudge_email(draft.pk)


@organization_view(Role.MEMBER)
@require_POST
@on_draft(ScheduleForm)
def schedule(request: HtmxHttpRequest, draft: EmailDraft, form: ScheduleForm) -> None:
    """Approve the text on the screen and have it sent at a later time."""
    send_at = form.cleaned_data["send_at"]
    approve_draft(draft, **form.text(), by=request.user, send_at=send_at, request=request)
    messages.success(request, f"The email is sent on {send_at:%Y-%m-%d at %H:%M} UTC.")


@organization_view(Role.MEMBER)
@require_POST
@on_draft(VersionForm)
def unschedule(request: HtmxHttpRequest, draft: EmailDraft, form: VersionForm) -> None:
    """Take an email back that waits for its time."""
    cancel_schedule(draft, by=request.user, version=form.cleaned_data["version"], request=request)
    messages.success(request, "The email will not be sent by itself. It is a draft again.")


@organization_view(Role.MEMBER)
@require_POST
@on_draft(VersionForm)
def discard(request: HtmxHttpRequest, draft: EmailDraft, form: VersionForm) -> None:
    """Decide that nothing is sent."""
    discard_draft(draft, by=request.user, version=form.cleaned_data["version"], request=request)
    messages.success(request, "The draft is discarded. Nothing was sent.")
