"""Closing a lead, and opening it again."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.inbox.closing import close_lead, reopen_lead
from leadagent.leads.views.conflicts import conflicts_told
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Role


@organization_view(Role.MEMBER)
@require_POST
def close(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Nothing more is to be done about the lead."""
    lead = get_object_or_404(request.organization.leads, pk=lead_id)
    with conflicts_told(request):
        close_lead(lead, by=request.user, request=request)
    return redirect("leads:detail", request.organization.slug, lead.pk)


@organization_view(Role.MEMBER)
@require_POST
def reopen(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Something is to be done after all."""
    lead = get_object_or_404(request.organization.leads, pk=lead_id)
    reopen_lead(lead, by=request.user, request=request)
    return redirect("leads:detail", request.organization.slug, lead.pk)
