"""Giving a lead to somebody."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from leadagent.http import HtmxHttpRequest
from leadagent.leads.inbox.assignment import NotAssignable, assign_lead, assignees_of
from leadagent.leads.inbox.lead_filter import ME
from leadagent.leads.models import Lead, LeadStatus
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Organization, Role, User


@organization_view(Role.MEMBER)
@require_POST
def assign(request: HtmxHttpRequest, lead_id: UUID) -> HttpResponse:
    """Give the lead to the person named by `to`: their number, "me", or nobody where it is empty."""
    lead = get_object_or_404(request.organization.leads.select_related("organization"), pk=lead_id)
    try:
        assign_lead(lead, chosen_person(request), by=request.user, request=request)
    except NotAssignable as problem:
        messages.warning(request, str(problem))
    return redirect("leads:detail", request.organization.slug, lead.pk)


def chosen_person(request: HtmxHttpRequest) -> User | None:
    """Whom `to` names; None for nobody. Raises `NotAssignable`."""
    asked = request.POST.get("to", "")
    if not asked:
        return None
    if asked == ME:
        return request.user
    found = person_numbered(request.organization, asked)
    if found is None:
        raise NotAssignable
    return found


def person_numbered(organization: Organization, number: str) -> User | None:
    """The assignable person with this number; None where there is none."""
    # As long as a number of the column may be.
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    return assignees_of(organization).filter(pk=int(number)).first()


def assignment_context(request: HtmxHttpRequest, lead: Lead) -> dict[str, Any]:
    """What `leads/assignee.html` reads; at most two queries."""
    org, is_closed = request.organization.slug, lead.status == LeadStatus.CLOSED
    may_assign = request.membership.may(Role.MEMBER)
    return {
        "assignee": lead.assigned_to,
        "assignees": list(assignees_of(request.organization)) if may_assign else [],
        "assign_url": reverse("leads:assign", args=[org, lead.pk]) if may_assign else "",
        "is_mine": lead.assigned_to_id == request.user.pk,
        "close_url": reverse("leads:close", args=[org, lead.pk]) if may_assign and not is_closed else "",
        "reopen_url": reverse("leads:reopen", args=[org, lead.pk]) if may_assign and is_closed else "",
    }
