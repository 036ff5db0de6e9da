"""Starting, resuming and cancelling a run, and letting the platform's AI go on with it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.models import WorkflowRun
from leadagent.leads.running.workflow import cancel_run, grant_platform, resume_run, start_run
from leadagent.leads.tasks import nudge_run
from leadagent.leads.views.conflicts import conflicts_told
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
def start(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Run the workflow (again) for a lead."""
    lead = get_object_or_404(request.organization.leads, pk=lead_id)
    with conflicts_told(request):
        run = start_run(lead, by=request.user, request=request)
        nudge_run(run.pk)
    return redirect("leads:detail", request.organization.slug, lead.pk)


@organization_view(Role.MEMBER)
@require_POST
def resume(request: HtmxHttpRequest, run_id: UUID) -> HttpResponse:
    """Let a paused or failed run go on where it stopped."""
    run = _run(request, run_id)
    with conflicts_told(request):
        resume_run(run, by=request.user, request=request)
        nudge_run(run.pk)
    return _back(request, run)


@organization_view(Role.MEMBER)
@require_POST
def fallback(request: HtmxHttpRequest, run_id: UUID) -> HttpResponse:
    """Let the platform's AI stand in for the own key in this run, where an admin has left that to people."""
    run = _run(request, run_id)
    with conflicts_told(request):
        grant_platform(run, by=request.user, request=request)
        nudge_run(run.pk)
    return _back(request, run)


@organization_view(Role.MEMBER)
@require_POST
def cancel(request: HtmxHttpRequest, run_id: UUID) -> HttpResponse:
    """Stop a run for good."""
    run = _run(request, run_id)
    with conflicts_told(request):
        cancel_run(run, by=request.user, request=request)
    return _back(request, run)


def _back(request: HtmxHttpRequest, run: WorkflowRun) -> HttpResponse:
    if run.is_comparison:
        return redirect("leads:compare", request.organization.slug, run.pk)
    return redirect("leads:detail", request.organization.slug, run.lead_id)


def _run(request: HtmxHttpRequest, run_id: UUID) -> WorkflowRun:
    return get_object_or_404(request.organization.workflow_runs, pk=run_id)
