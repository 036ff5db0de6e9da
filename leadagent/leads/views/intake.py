"""Handing a lead in: the public form, and the form of members."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from leadagent.http import HtmxHttpRequest, client_ip
from leadagent.leads.inbox.forms import LeadForm, PublicLeadForm
from leadagent.leads.inbox.intake import take_in
from leadagent.leads.inbox.rate_limit import is_too_often
from leadagent.leads.models import LeadSource
from leadagent.leads.tasks import nudge_run
from leadagent.tenants.access import organization_view
from leadagent.tenants.models import Organization, Role

# Per visitor's address and organisation, and per organisation, in ten minutes.
VISITOR_LIMIT = 10
ORGANIZATION_LIMIT = 300
WINDOW_SECONDS = 600


@require_http_methods(["GET", "HEAD", "POST"])
def public_form(request: HttpRequest, org: str) -> HttpResponse:
    """The organisation's contact form, open to everyone."""
    organization = get_object_or_404(Organization, slug=org)
    form = PublicLeadForm(request.POST or None)
    status = 200
    if request.method == "POST":
        if form.is_machine:
            return redirect("leads:intake_thanks", org)
        if not form.is_valid():
            status = 422
        elif _too_often(request, organization):
            form.add_error(
                None, "Too many messages came from your network. Your text is kept here: send it again in ten minutes."
            )
            status = 429
        else:
            with transaction.atomic():
                lead, _ = take_in(organization, form.cleaned_data, source=LeadSource.FORM)
                nudge_run(lead.runs.get().pk)
            return redirect("leads:intake_thanks", org)
    response = render(request, "leads/intake.html", {"recipient": organization, "form": form}, status=status)
    if status == 429:
        response.headers["Retry-After"] = str(WINDOW_SECONDS)
    return response


@require_safe
def thanks(request: HttpRequest, org: str) -> HttpResponse:
    """What a visitor sees after sending the form."""
    return render(request, "leads/thanks.html", {"recipient": get_object_or_404(Organization, slug=org)})


@organization_view(Role.MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HtmxHttpRequest) -> HttpResponse:
    """Add a lead by hand, from a call or an email."""
    form = LeadForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            lead, _ = take_in(
                request.organization, form.cleaned_data, source=LeadSource.PAGE, by=request.user, request=request
            )
            nudge_run(lead.runs.get().pk)
        messages.success(request, f"{lead.name} is added, and the research has begun.")
        return redirect("leads:detail", request.organization.slug, lead.pk)
    return render(request, "leads/new.html", {"form": form}, status=422 if form.errors else 200)


def _too_often(request: HttpRequest, organization: Organization) -> bool:
    visitor = is_too_often(f"lead:{organization.pk}:{client_ip(request)}", limit=VISITOR_LIMIT, seconds=WINDOW_SECONDS)
    return visitor or is_too_often(f"lead:{organization.pk}", limit=ORGANIZATION_LIMIT, seconds=WINDOW_SECONDS)
