"""Deciding about the change of the embedding model. It is paid with the organisation's key: an admin decides."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.knowledge.model_change import cancel_reembedding, follow_configuration, resume_reembedding
from leadagent.leads.tasks import nudge_reembedding
from leadagent.tenants import audit
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.ADMIN)
@require_POST
def start(request: HtmxHttpRequest) -> HttpResponse:
    """Have all passages embedded with the chosen model, also after a cancel."""
    with transaction.atomic():
        if follow_configuration(request.organization, insist=True):
            _record(request, "knowledge.reembedding_started")
            nudge_reembedding(request.organization.pk)
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.ADMIN)
@require_POST
def resume(request: HtmxHttpRequest) -> HttpResponse:
    """Go on after what stopped it was mended."""
    with transaction.atomic():
        if resume_reembedding(request.organization.pk):
            _record(request, "knowledge.reembedding_resumed")
            nudge_reembedding(request.organization.pk)
    return redirect("leads:knowledge", request.organization.slug)


@organization_view(Role.ADMIN)
@require_POST
def cancel(request: HtmxHttpRequest) -> HttpResponse:
    """Keep the model that serves."""
    with transaction.atomic():
        if cancel_reembedding(request.organization):
            _record(request, "knowledge.reembedding_cancelled")
            # A worker drops what was made for the other one.
            nudge_reembedding(request.organization.pk)
            messages.success(request, "Cancelled. Searches stay with the former embedding model.")
    return redirect("leads:knowledge", request.organization.slug)


def _record(request: HtmxHttpRequest, action: str) -> None:
    index = request.organization.knowledge_index
    index.refresh_from_db()
    audit.record(
        action,
        organization=request.organization,
        target="knowledge base",
        after={"model": index.next_model, "serving": index.model},
        request=request,
    )
