"""The page of one lead with its run."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads.emails.forms import DraftForm
from leadagent.leads.emails.panel import draft_acts, panel_of
from leadagent.leads.emails.rewrite_fallback import may_grant
from leadagent.leads.emails.rewriting import newest_rewrite
from leadagent.leads.inbox.forms import NoteForm
from leadagent.leads.marking import marked, marked_message
from leadagent.leads.models import DraftRewrite, EmailDraft, Lead, RewriteStatus
from leadagent.leads.prompts.trace import prompts_used
from leadagent.leads.rendering import report_html
from leadagent.leads.running.comparing import comparisons_of
from leadagent.leads.running.progress import Progress, category_pill, lead_pill, progress_of
from leadagent.leads.running.shown_reasons import quotes_by_id, shown_reasons
from leadagent.leads.running.workflow import platform_offer
from leadagent.leads.views.assignment import assignment_context
from leadagent.leads.views.note_panel import notes_context
from leadagent.leads.views.typed_beside import typed_before
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role
from usage.spending.quota import free_tier_of


@organization_view(Role.VIEWER)
@require_safe
def detail(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """One lead. While its run moves, the page asks again for the part that changes."""
    lead = get_object_or_404(request.organization.leads.select_related("assigned_to"), pk=lead_id)
    return render_detail(request, lead)


def render_detail(
    request: HtmxHttpRequest,
    lead: Lead,
    *,
    form: DraftForm | None = None,
    note_form: NoteForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page of a lead. `form` is an edit that could not be saved, `problem` says why."""
    progress = progress_of(lead)
    if request.htmx and progress and request.GET.get("seen") == progress.fingerprint:
        # Nothing new: htmx leaves the page, the focus and the reader alone.
        return HttpResponse(status=204)
    verdict = progress.run.qualification if progress else None
    message, in_message = marked_message(lead.message, quotes_by_id(verdict, "message"))
    context = {
        "lead": lead,
        "message": message,
        "lead_status": lead_pill(lead),
        "progress": progress,
        "problem": problem,
        "page_url": reverse("leads:detail", args=[request.organization.slug, lead.pk]),
        **(_about_run(request, progress, form, in_message) if progress else {}),
        "comparisons": comparisons_of(lead),
        "compare_url": _compare_url(request, lead, progress),
        "actions": _actions(request, lead, progress) if request.membership.may(Role.MEMBER) else {},
    }
    if not request.htmx:
        # Beside the part that asks again: people's own words do not move with the run.
        context |= notes_context(request, lead, note_form) | assignment_context(request, lead)
    if {"fallback", "rewrite_fallback"} & set(context["actions"]):
        context["free_tier"] = free_tier_of(request.organization.pk)
    return render_page(request, "leads/detail.html", context, partial="state", status=status)


def _about_run(
    request: HtmxHttpRequest, progress: Progress, form: DraftForm | None, in_message: set[str]
) -> dict[str, Any]:
    draft = progress.draft
    may_edit = (
        draft is not None and draft.is_editable and not progress.is_rewriting and request.membership.may(Role.MEMBER)
    )
    about_draft = _about_draft(request, progress)
    if draft is not None and form is None and may_edit:
        form = _form_for(request, draft, about_draft["rewrite"])
    mends = progress.run.may_resume and request.membership.may(Role.ADMIN)
    verdict = progress.run.qualification
    report, in_report = marked(report_html(progress.report, progress.sources), quotes_by_id(verdict, "report"))
    places = {"report": "#report-title", "message": "#lead-message"}
    return {
        "prompts_used": prompts_used(
            progress.run, org=request.organization.slug, may_open=request.membership.may(Role.ADMIN)
        ),
        "report": report,
        "verdict": verdict,
        "reasons": shown_reasons(verdict, in_report | in_message, otherwise=places),
        "verdict_pill": category_pill(progress.run.category),
        "confidence": f"{verdict.confidence:.0%}" if verdict else "",
        "draft": draft,
        **about_draft,
        "draft_form": form if may_edit else None,
        # The text of someone whose draft was decided on by another person meanwhile.
        "unsaved": form if form is not None and not may_edit else None,
        **(_way_out(progress.run.error_code, request.organization.slug) if mends else {}),
    }


def _about_draft(request: HtmxHttpRequest, progress: Progress) -> dict[str, Any]:
    if progress.draft is None:
        return {}
    panel = panel_of(progress.draft, progress.run)
    if panel["rewrite"] is not None and request.membership.may(Role.ADMIN):
        way_out = _way_out(panel["rewrite"].error_code, request.organization.slug)
        panel |= {f"rewrite_{name}": value for name, value in way_out.items()}
    return panel


def _form_for(request: HtmxHttpRequest, draft: EmailDraft, rewrite: DraftRewrite | None) -> DraftForm:
    """The stored text to be edited, and what this person typed beside it before.

    The instruction of a rewrite that came to nothing is there to be sent again.
    """
    beside = {}
    if rewrite is not None and rewrite.status in (RewriteStatus.FAILED, RewriteStatus.CANCELLED):
        beside["instruction"] = rewrite.instruction
    beside |= typed_before(request, draft)
    return DraftForm(initial={"subject": draft.subject, "body": draft.body, "version": draft.version, **beside})


def _way_out(error_code: str, org: str) -> dict[str, str]:
    """Where an admin mends what stopped a run: its words and its address."""
    if error_code == "budget_exhausted":
        return {"mend_action": "Open alerts and budgets", "mend_url": reverse("usage:alerts", args=[org])}
    settings_url = reverse("byok:settings", args=[org])
    if error_code == "quota_exhausted":
        offer = "Add your own key for unlimited requests"
        return {"mend_action": offer, "mend_url": f"{settings_url}?provider=openrouter#update"}
    return {"mend_action": "Open the AI settings", "mend_url": settings_url}


def _compare_url(request: HtmxHttpRequest, lead: Lead, progress: Progress | None) -> str:
    """Where a member compares models, once a run of this lead has ended; empty before."""
    if progress is None or progress.run.is_active or not request.membership.may(Role.MEMBER):
        return ""
    return reverse("leads:compare_new", args=[request.organization.slug, lead.pk])


def _actions(request: HtmxHttpRequest, lead: Lead, progress: Progress | None) -> dict[str, str]:
    """Addresses of what a member may do now; what is missing is not offered."""
    org = request.organization.slug
    start = reverse("leads:run_start", args=[org, lead.pk])
    if progress is None:
        return {"start": start}
    run, draft = progress.run, progress.draft
    actions = {}
    if run.may_resume:
        actions["resume"] = reverse("leads:run_resume", args=[org, run.pk])
    if platform_offer(run):
        actions["fallback"] = reverse("leads:run_fallback", args=[org, run.pk])
    if run.may_cancel:
        actions["cancel"] = reverse("leads:run_cancel", args=[org, run.pk])
    if not progress.is_moving:
        actions["start"] = start
    if draft is not None:
        actions["history"] = reverse("leads:draft_history", args=[org, draft.pk])
        acts = draft_acts(draft, is_rewriting=progress.is_rewriting)
        if may_grant(draft, newest_rewrite(draft)):
            acts += ("rewrite_fallback",)
        actions |= {act: reverse(f"leads:draft_{act}", args=[org, draft.pk]) for act in acts}
    return actions
