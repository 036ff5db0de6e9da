"""The texts that a draft has had: looking back at them, and going back to one."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leadagent.http import HtmxHttpRequest
from leadagent.leads.emails.deciding import restore_revision
from leadagent.leads.emails.forms import RestoreForm
from leadagent.leads.models import DraftRevision, EmailDraft
from leadagent.leads.text_diff import compare
from leadagent.leads.views.on_draft import draft_of, on_draft
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.VIEWER)
@require_safe
def history(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Every text of the draft, and what changed between two of them."""
    draft = draft_of(request, draft_id)
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


@organization_view(Role.MEMBER)
@require_POST
@on_draft(RestoreForm)
def restore(request: HtmxHttpRequest, draft: EmailDraft, form: RestoreForm) -> None:
    """Make an earlier text the draft again."""
    number, version = form.cleaned_data["number"], form.cleaned_data["version"]
    try:
        restore_revision(draft, number, by=request.user, version=version, request=request)
    except DraftRevision.DoesNotExist:
        raise Http404("No such text.") from None
    messages.success(request, f"Text {number} is the draft again.")


def _number(written: str) -> int:
    """The number of a text that an address names; 0, which no text has, for anything else."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 9 else 0


def _whole(text: DraftRevision) -> str:
    return f"{text.subject}\n\n{text.body}\n"
