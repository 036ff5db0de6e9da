"""Comparing models on a lead: choose them, look at both runs, take the better draft."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from byok.catalog.offered_models import search_models
from byok.config.ai_config import get_ai_config
from byok.config.values import CHAT_OPERATIONS, InvalidConfig
from leadagent.http import HtmxHttpRequest, render_page
from leadagent.leads.marking import marked
from leadagent.leads.models import RunStatus, WorkflowRun
from leadagent.leads.rendering import report_html
from leadagent.leads.running.compared import Side, comparison_of
from leadagent.leads.running.comparing import (
    checked_models,
    comparisons_of,
    may_compare,
    start_comparison,
    use_comparison,
    why_unusable,
)
from leadagent.leads.running.shown_reasons import quotes_by_id, shown_reasons
from leadagent.leads.running.workflow import RunConflict
from leadagent.leads.tasks import nudge_run
from leadagent.tenants.access import organization_view
from leadagent.tenants.misplaced_keys import RefusesMisplacedKeys
from leadagent.tenants.models import Role

# Suggestions while typing; every model of the catalog may be named.
OFFERED = 400


class CompareForm(RefusesMisplacedKeys):
    """One model for all steps, or one for each; what is left empty runs on the model in use."""

    model_all = forms.CharField(required=False, max_length=200, label="One model for all steps")
    model_research = forms.CharField(required=False, max_length=200, label="Research")
    model_qualification = forms.CharField(required=False, max_length=200, label="Qualification")
    model_email_generation = forms.CharField(required=False, max_length=200, label="Email draft")

    def __init__(self, data: Any = None, *, in_use: dict[str, str]) -> None:
        super().__init__(data)
        for name, field in self.fields.items():
            field.widget = forms.TextInput(
                attrs={"class": "mono", "list": "chat-models", "autocomplete": "off", "spellcheck": "false"}
            )
            if model := in_use.get(name.removeprefix("model_")):
                # A field's hint is written as it is.
                field.help_text = format_html("In use: {}", model)

    def models(self) -> dict[str, str]:
        """Operation -> the model that was named for it."""
        general = self.cleaned_data["model_all"]
        return {operation: self.cleaned_data[f"model_{operation}"] or general for operation in CHAT_OPERATIONS}


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Choose the models of a comparison and start it."""
    lead = get_object_or_404(request.organization.leads, pk=lead_id)
    config = get_ai_config(request.organization)
    in_use = {operation: config.meant_model(operation) for operation in CHAT_OPERATIONS}
    form = CompareForm(request.POST if request.method == "POST" else None, in_use=in_use)
    if form.is_valid():
        try:
            with transaction.atomic():
                models = checked_models(request.organization, form.models())
                run = start_comparison(lead, models, by=request.user, request=request)
                nudge_run(run.pk)
            return redirect("leads:compare", request.organization.slug, run.pk)
        except InvalidConfig as invalid:
            # A model for all steps is refused at the first of them.
            named = form.cleaned_data.get(invalid.field)
            field = invalid.field if named else "model_all" if invalid.field else None
            form.add_error(field, str(invalid))
        except RunConflict as conflict:
            form.add_error(None, str(conflict))
    context = {
        "lead": lead,
        "form": form,
        "may_compare": may_compare(request.organization),
        "options": search_models(config.provider, "chat", organization=request.organization, limit=OFFERED),
        "step_fields": [form[f"model_{operation}"] for operation in CHAT_OPERATIONS],
        "earlier": comparisons_of(lead),
    }
    return render(request, "leads/compare_new.html", context, status=422 if form.errors else 200)


@organization_view(Role.VIEWER)
@require_safe
def comparison(request: HtmxHttpRequest, run_id: UUID) -> HttpResponse:
    """Both runs side by side. While the second one moves, the page asks again for what changes."""
    run = _comparison(request, run_id)
    found = comparison_of(run)
    if found is None:
        raise Http404("The run that this was compared with is gone.")
    if request.htmx and request.GET.get("seen") == found.fingerprint:
        return HttpResponse(status=204)
    org, may = request.organization.slug, request.membership.may(Role.MEMBER)
    main = run.lead.runs.main().newest()
    unusable = why_unusable(run, main)
    context = {
        "lead": run.lead,
        "run": run,
        "comparison": found,
        "sides": [
            _side(request, side, label=label, prefix=prefix)
            for side, label, prefix in (
                (found.first, "First run", "first-quote"),
                (found.second, "Comparison", "second-quote"),
            )
        ],
        "page_url": reverse("leads:compare", args=[org, run.pk]),
        "use_url": reverse("leads:compare_use", args=[org, run.pk]) if may and not unusable else "",
        "unusable": unusable if run.is_comparison and run.status == RunStatus.DONE else "",
        "cancel_url": reverse("leads:run_cancel", args=[org, run.pk]) if may and run.may_cancel else "",
        "resume_url": reverse("leads:run_resume", args=[org, run.pk]) if may and run.may_resume else "",
        "again_url": reverse("leads:compare_new", args=[org, run.lead_id]) if may and not run.is_active else "",
    }
    return render_page(request, "leads/compare.html", context, partial="state")


@organization_view(Role.MEMBER)
@require_POST
def use(request: HtmxHttpRequest, run_id: UUID) -> HttpResponse:
    """Put the comparison's draft in the place of the open one."""
    run = _comparison(request, run_id)
    try:
        use_comparison(run, by=request.user, request=request)
    except RunConflict as conflict:
        messages.warning(request, str(conflict))
        return redirect("leads:compare", request.organization.slug, run.pk)
    messages.success(request, "The comparison's draft is now the one to review. Nothing was sent.")
    return redirect("leads:detail", request.organization.slug, run.lead_id)


def _side(request: HtmxHttpRequest, side: Side, *, label: str, prefix: str) -> dict[str, Any]:
    """A run as the page shows it; the lead's message stands on the lead's own page."""
    report, ids = marked(report_html(side.report), quotes_by_id(side.verdict, "report", prefix=prefix))
    lead_url = reverse("leads:detail", args=[request.organization.slug, side.run.lead_id])
    places = {"report": f"#{prefix}-report", "message": f"{lead_url}#lead-message"}
    reasons = shown_reasons(side.verdict, ids, prefix=prefix, otherwise=places)
    return {"side": side, "label": label, "report": report, "reasons": reasons, "report_id": f"{prefix}-report"}


def _comparison(request: HtmxHttpRequest, run_id: UUID) -> WorkflowRun:
    runs = request.organization.workflow_runs.filter(compared_with__isnull=False)
    return get_object_or_404(runs.select_related("lead", "organization", "compared_with"), pk=run_id)
