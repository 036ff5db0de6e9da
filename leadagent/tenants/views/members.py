"""Members of an organisation: invite, change roles, remove, leave."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from leadagent.http import HtmxHttpRequest
from leadagent.tenants.access import organization_view
from leadagent.tenants.forms import InviteForm, RoleForm
from leadagent.tenants.invitations import invite, resend_invitation, withdraw_invitation
from leadagent.tenants.membership import LastAdmin, MembershipError, change_role, leave, remove_member
from leadagent.tenants.models import Invitation, Membership, Role

P = ParamSpec("P")


def posted(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """For acts on a row: a GET (a reload, or the return from sign-in) goes to the page where the row is."""

    @wraps(view)
    def act(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method != "POST":
            return redirect("tenants:members", request.organization.slug)
        return view(request, *args, **kwargs)

    return act


@organization_view(Role.ADMIN)
def members(request: HtmxHttpRequest) -> HttpResponse:
    """Everyone in the organisation, the invitations on their way, and the form that sends one."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation = invite(
                request.organization,
                email=form.cleaned_data["email"],
                role=form.invited_role,
                invited_by=request.user,
                request=request,
            )
        except MembershipError as error:
            form.add_error("email", str(error))
        else:
            _say_whether_sent(request, invitation)
            return redirect("tenants:members", request.organization.slug)
    return _members_page(request, form=form, status=422 if form.errors else 200)


@organization_view(Role.ADMIN)
@posted
def resend(request: HtmxHttpRequest, invitation_id: int) -> HttpResponse:
    invitation = get_object_or_404(request.organization.invitations.pending(), pk=invitation_id)
    try:
        invitation = resend_invitation(invitation, actor=request.user, request=request)
    except MembershipError as error:
        return _members_page(request, invitation_errors={invitation_id: str(error)}, status=409)
    _say_whether_sent(request, invitation)
    return redirect("tenants:members", request.organization.slug)


@organization_view(Role.ADMIN)
@posted
def withdraw(request: HtmxHttpRequest, invitation_id: int) -> HttpResponse:
    invitation = get_object_or_404(request.organization.invitations.pending(), pk=invitation_id)
    try:
        withdraw_invitation(invitation, actor=request.user, request=request)
    except MembershipError as error:
        return _members_page(request, invitation_errors={invitation_id: str(error)}, status=409)
    messages.success(request, f"The invitation of {invitation.email} is withdrawn; its link no longer works.")
    return redirect("tenants:members", request.organization.slug)


@organization_view(Role.ADMIN)
@posted
def member_role(request: HtmxHttpRequest, membership_id: int) -> HttpResponse:
    member = _member(request, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _members_page(request, member_errors={membership_id: "Choose one of the roles."}, status=422)
    try:
        changed = change_role(member, role=Role(form.cleaned_data["role"]), actor=request.user, request=request)
    except LastAdmin as error:
        return _members_page(request, member_errors={membership_id: str(error)}, status=409)
    except Membership.DoesNotExist:
        messages.info(request, f"{member.user.email} has left already.")
        return redirect("tenants:members", request.organization.slug)
    messages.success(request, f"{member.user.email} is now {Role(changed.role).label.lower()}.")
    if member.user == request.user and changed.role != Role.ADMIN:
        return redirect(request.organization)
    return redirect("tenants:members", request.organization.slug)


@organization_view(Role.ADMIN)
def member_remove(request: HtmxHttpRequest, membership_id: int) -> HttpResponse:
    """GET asks (for browsers without the dialog), POST removes."""
    member = _member(request, membership_id)
    if request.method != "POST":
        return render(request, "tenants/member_remove.html", {"member": member})
    try:
        remove_member(member, actor=request.user, request=request)
    except LastAdmin as error:
        return _members_page(request, member_errors={membership_id: str(error)}, status=409)
    except Membership.DoesNotExist:
        messages.info(request, f"{member.user.email} has left already.")
    else:
        messages.success(request, f"{member.user.email} is no longer in {request.organization.name}.")
    if member.user == request.user:
        return redirect("home")
    return redirect("tenants:members", request.organization.slug)


@organization_view(Role.VIEWER)
def leave_organization(request: HtmxHttpRequest) -> HttpResponse:
    """GET asks, POST leaves."""
    if request.method != "POST":
        return render(request, "tenants/leave.html")
    try:
        leave(request.membership, request=request)
    except LastAdmin as error:
        return render(request, "tenants/leave.html", {"error": str(error)}, status=409)
    except Membership.DoesNotExist:
        # A second click, or an admin was quicker: the wish is fulfilled.
        return redirect("home")
    messages.success(request, f"You left {request.organization.name}.")
    return redirect("home")


def _member(request: HtmxHttpRequest, membership_id: int) -> Membership:
    return get_object_or_404(request.organization.memberships.select_related("user", "organization"), pk=membership_id)


def _say_whether_sent(request: HtmxHttpRequest, invitation: Invitation) -> None:
    if invitation.sent_at:
        messages.success(request, f"Invitation sent to {invitation.email}.")
    else:
        messages.error(
            request,
            f"The invitation of {invitation.email} is saved, but the email could not be sent. "
            "Use “Send again” in a few minutes.",
        )


def _members_page(
    request: HtmxHttpRequest,
    *,
    form: InviteForm | None = None,
    member_errors: dict[int, str] | None = None,
    invitation_errors: dict[int, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with each error at the row or field it belongs to."""
    members = request.organization.memberships.select_related("user").order_by("created_at", "pk")
    pending = request.organization.invitations.pending().select_related("invited_by").order_by("created_at", "pk")
    context = {
        "form": form or InviteForm(),
        "members": [(row, (member_errors or {}).get(row.pk, "")) for row in members],
        "invitations": [(row, (invitation_errors or {}).get(row.pk, "")) for row in pending],
        "roles": Role.choices,
    }
    return render(request, "tenants/members.html", context, status=status)
