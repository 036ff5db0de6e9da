"""Having a draft rewritten by a model: asking for it, giving it up, letting the platform's AI do it."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.forms import RewriteForm
from leadagent.leads.emails.rewrite_fallback import NothingToGrant, grant_rewrite
from leadagent.leads.emails.rewriting import RewriteConflict, ask_for_rewrite, cancel_rewrite
from leadagent.leads.models import EmailDraft
from leadagent.leads.tasks import nudge_rewrite
from leadagent.leads.views.on_draft import back_to_lead, draft_of, not_saved, on_draft
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
@on_draft(RewriteForm)
def ask(request: HtmxHttpRequest, draft: EmailDraft, form: RewriteForm) -> HttpResponse | None:
    """Keep the text on the screen, and have a model write it anew as the person says: a paid call."""
    instruction = form.cleaned_data["instruction"]
    try:
        with transaction.atomic():
            asked = ask_for_rewrite(draft, instruction, **form.text(), by=request.user, request=request)
            nudge_rewrite(asked.pk)
    except RewriteConflict:
        return not_saved(request, draft, form, "This email is being rewritten already, so yours was not begun.")
    return None


@organization_view(Role.MEMBER)
@require_POST
def cancel(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Give up a rewrite that is under way."""
    draft = draft_of(request, draft_id)
    if cancel_rewrite(draft):
        messages.success(request, "The rewrite is given up. The text is as it was.")
    return back_to_lead(request, draft)


@organization_view(Role.MEMBER)
@require_POST
def fallback(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Let the platform's AI do a rewrite for which the own key failed, where an admin has left that to people."""
    draft = draft_of(request, draft_id)
    try:
        with transaction.atomic():
            nudge_rewrite(grant_rewrite(draft, by=request.user, request=request).pk)
    except NothingToGrant as problem:
        messages.warning(request, str(problem))
    return back_to_lead(request, draft)
