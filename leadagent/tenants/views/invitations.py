"""The invited person's side: open the link, see who asks, accept."""

from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from leadagent.tenants.invitations import AlreadyMember, accept_invitation, open_invitations_of, verified_addresses
from leadagent.tenants.membership import MembershipError
from leadagent.tenants.models import Invitation, User, hash_token


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites where and as what; a POST by the invited person accepts."""
    found = (
        Invitation.objects.open()
        .select_related("organization", "invited_by")
        .filter(token_hash=hash_token(token))
        .first()
    )
    if found is None:
        return render(request, "tenants/invitation_closed.html", status=404)
    if not request.user.is_authenticated:
        return render(request, "tenants/invitation.html", {"invitation": found} | _ways_in(request, found))
    user = request.user
    if found.email.lower() not in verified_addresses(user):
        return render(request, "tenants/invitation_other_address.html", {"invitation": found}, status=403)
    if request.method == "POST":
        return _accept(request, found)
    return render(request, "tenants/invitation.html", {"invitation": found})


@login_required
def accept_offered(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Accept an invitation that the list of organisations offers to a verified address."""
    if request.method != "POST":
        return redirect("tenants:organizations")
    return _accept(request, get_object_or_404(open_invitations_of(cast("User", request.user)), pk=invitation_id))


def _accept(request: HttpRequest, found: Invitation) -> HttpResponse:
    try:
        membership = accept_invitation(found, user=cast("User", request.user), request=request)
    except AlreadyMember as error:
        messages.info(request, str(error))
        return redirect(found.organization)
    except MembershipError:
        return render(request, "tenants/invitation_closed.html", status=409)
    messages.success(request, f"Welcome to {found.organization.name}. You are {membership.get_role_display().lower()}.")
    return redirect(found.organization)


def _ways_in(request: HttpRequest, found: Invitation) -> dict[str, str]:
    """Sign-up and sign-in links that come back here; sign-up knows the address already."""
    back = {"next": request.path}
    return {
        "signup_url": f"{reverse('account_signup')}?{urlencode(back | {'email': found.email})}",
        "login_url": f"{reverse('account_login')}?{urlencode(back)}",
    }
