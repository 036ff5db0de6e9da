"""What all decisions on a draft have in common: whoever decides has read the newest text, and nothing typed is lost.

Whatever comes of it, the page of the lead follows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.deciding import DraftConflict
from leadagent.leads.emails.forms import DraftForm, VersionForm
from leadagent.leads.models import DraftStatus, EmailDraft
from leadagent.leads.typed_again import NOT_TOLD_WHICH, typed_again
from leadagent.leads.views.pages import render_detail
from leadagent.leads.views.typed_beside import keep_typed

F = TypeVar("F", bound=DraftForm | VersionForm)
Decide = Callable[[HtmxHttpRequest, EmailDraft, F], HttpResponse | None]

_READ_AGAIN = f"{NOT_TOLD_WHICH} Nothing was done: read the email as it is now, then decide."
_SAVE_AGAIN = (
    f"{NOT_TOLD_WHICH} Yours is in the form and not saved yet; what is saved is shown below the form. "
    "Saving yours now replaces it."
)


def on_draft(form_class: type[F]) -> Callable[[Decide[F]], Callable[..., HttpResponse]]:
    """Make `decide(request, draft, form)` a view: it is called with a draft of the organisation and a valid form.

    Where it returns no answer of its own, the person is led back to the lead. It may raise `DraftConflict`.
    """

    def decorate(decide: Decide[F]) -> Callable[..., HttpResponse]:
        @wraps(decide)
        def view(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
            draft, form = draft_of(request, draft_id), form_class(request.POST)
            if not form.is_valid():
                return _as_typed(request, draft, form)
            try:
                answer = decide(request, draft, form)
            except DraftConflict as conflict:
                return _both_texts(request, conflict.current, form)
            if answer is not None:
                return answer
            if isinstance(form, DraftForm):
                keep_typed(request, draft, form.typed_for_other_buttons())
            return back_to_lead(request, draft)

        return view

    return decorate


def draft_of(request: HtmxHttpRequest, draft_id: UUID) -> EmailDraft:
    """The organisation's draft with this id, or 404."""
    drafts = EmailDraft.objects.filter(run__organization=request.organization)
    return get_object_or_404(drafts.select_related("run__lead"), pk=draft_id)


def back_to_lead(request: HtmxHttpRequest, draft: EmailDraft) -> HttpResponse:
    return redirect("leads:detail", request.organization.slug, draft.run.lead_id)


def not_saved(
    request: HtmxHttpRequest, draft: EmailDraft, form: DraftForm | VersionForm, problem: str, *, status: int = 409
) -> HttpResponse:
    """The lead's page with `problem`, and with what was typed as an edit of the draft as it is now."""
    kept = None
    if isinstance(form, DraftForm):
        kept = DraftForm(initial=typed_again(form, version=draft.version))
    return render_detail(request, draft.run.lead, form=kept, problem=problem, status=status)


def _as_typed(request: HtmxHttpRequest, draft: EmailDraft, form: DraftForm | VersionForm) -> HttpResponse:
    """What is wrong stands at its field. Nobody sees the fields of a `VersionForm`, nor `version` in the other."""
    if isinstance(form, DraftForm) and "version" not in form.errors:
        return render_detail(request, draft.run.lead, form=form, status=422)
    problem = _SAVE_AGAIN if isinstance(form, DraftForm) else _READ_AGAIN
    return not_saved(request, draft, form, problem, status=422)


def _both_texts(request: HtmxHttpRequest, current: EmailDraft, form: DraftForm | VersionForm) -> HttpResponse:
    """Both texts stay: the other person's is saved and shown, one's own is back in the form, unsaved."""
    who = current.edited_by.display_name if current.edited_by else "Someone"
    if not current.is_editable:
        who = current.approved_by.display_name if current.approved_by else "Someone"
        problem = f"{who} has decided on this email already: {DraftStatus(current.status).label.lower()}."
    elif isinstance(form, DraftForm):
        problem = (
            f"{who} saved another text in the meantime; it is shown below the form. Yours is in the form and not "
            "saved yet: saving it now replaces the other one."
        )
    else:
        problem = f"{who} changed this draft in the meantime. Read the new text before you decide."
    return not_saved(request, current, form, problem)
