"""The front page, the list of one's organisations, and making a new one."""

from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.forms import OrganizationForm
from leadagent.tenants.invitations import open_invitations_of
from leadagent.tenants.models import Membership, Organization, Role, User
from leadagent.tenants.onboarding import SlugTaken, TooManyOrganizations, create_organization, wizard_steps


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Signed out: what this is. Signed in: straight to work where there is only one place to go."""
    if not request.user.is_authenticated:
        return render(request, "tenants/landing.html", {"free_requests": settings.FREE_TIER_REQUESTS})
    places = list(Organization.objects.of_user(request.user)[:2])
    if len(places) == 1:
        return redirect(places[0])
    if not places and not open_invitations_of(request.user).exists():
        # Support staff have their own place and found no organisation.
        return redirect("admin:index" if request.user.is_staff else "tenants:create")
    return organizations(request)


@organization_view(Role.VIEWER)
@require_safe
def organization(request: HtmxHttpRequest) -> HttpResponse:
    """Whoever shortens an address lands at the organisation's work."""
    return redirect(request.organization)


@login_required
@require_safe
def organizations(request: HttpRequest) -> HttpResponse:
    """Every organisation of the user, and the invitations they could accept."""
    user = cast("User", request.user)
    context = {
        "memberships": Membership.objects.filter(user=user)
        .select_related("organization")
        .order_by("organization__name", "pk"),
        "invitations": open_invitations_of(user),
    }
    return render(request, "tenants/organizations.html", context)


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Name an organisation: the wizard's first step. Its creator becomes its admin and goes on to choose the AI."""
    user = cast("User", request.user)
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            organization = create_organization(
                name=form.cleaned_data["name"], slug=form.cleaned_data["slug"], creator=user, request=request
            )
        except SlugTaken as taken:
            form.offer(str(taken), taken.suggestions)
        except TooManyOrganizations as error:
            form.add_error(None, str(error))
        else:
            return redirect("byok:onboarding_ai", organization.slug)
    context = {
        "form": form,
        "has_organizations": Membership.objects.filter(user=user).exists(),
        "steps": wizard_steps("organization"),
    }
    return render(request, "tenants/create.html", context, status=422 if form.errors else 200)
