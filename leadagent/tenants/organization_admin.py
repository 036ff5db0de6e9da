"""Organisations as support sees them: a list to find one, and one page that answers a call."""

from collections.abc import Callable
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from leadagent.tenants import support_page
from leadagent.tenants.models import Membership, Organization
from leadagent.tenants.support import VIEWED, ReadOnlyAdmin
from leadagent.tenants.support_page import Cell, Column, Panel, Table, add_column, add_panel, facts, row

# How many of the newest are shown; the lists have the rest.
LATEST = 15


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    organization_path = "pk"
    search_fields = ("name", "slug", "external_id", "memberships__user__email")
    search_help_text = "Name, slug, external id, or a member's email address."
    ordering = ("name", "pk")

    def organization_of(self, row: Any) -> Organization | None:
        return row if isinstance(row, Organization) else None

    def get_list_display(self, request: HttpRequest) -> list[str | Callable[[Any], str | bool]]:
        return ["name", "slug", *support_page.columns(), "created_at"]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*support_page.filters(), "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        return support_page.annotated(Organization.objects.all()).order_by(*self.ordering)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The organisation's page. There is nothing to send from it but the acts of its panels."""
        organization = self.get_object(request, object_id)
        if not isinstance(organization, Organization) or "_to_field" in request.GET:
            return super().change_view(request, object_id, form_url, extra_context)
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request, organization):
            raise PermissionDenied
        self.note_look(request, organization)
        context = {
            **self.admin_site.each_context(request),
            "title": organization.name,
            "opts": self.opts,
            "organization": organization,
            "panels": support_page.panels_of(organization),
        }
        return TemplateResponse(request, "admin/organization.html", context)


def list_url(name: str, organization: Organization, *, path: str = "organization__id__exact") -> str:
    """The address of the admin list `name` (such as `tenants_membership`), narrowed to one organisation."""
    return f"{reverse(f'admin:{name}_changelist')}?{path}={organization.pk}"


_members = Membership.objects.filter(organization=OuterRef("pk")).order_by().values("organization")

add_column(
    60,
    Column(
        "Members",
        lambda organization: str(organization.member_count),
        lambda: {"member_count": Coalesce(Subquery(_members.annotate(n=Count("pk")).values("n")), 0)},
        order_by="member_count",
    ),
)


@add_panel(10)
def overview(organization: Organization) -> Panel:
    return Panel(
        "Organisation",
        facts(
            name=organization.name,
            slug=organization.slug,
            external_id=organization.external_id,
            created=organization.created_at,
        ),
    )


@add_panel(20)
def people(organization: Organization) -> Panel:
    """Members with their roles, and who has been invited."""
    places = list(organization.memberships.select_related("user").order_by("-role", "user__email")[:200])
    users = [place.user_id for place in places]
    confirmed = set(EmailAddress.objects.filter(user__in=users, verified=True).values_list("user_id", flat=True))
    second = Authenticator.objects.filter(user__in=users, type=Authenticator.Type.TOTP)
    with_second_factor = set(second.values_list("user_id", flat=True))
    members = [
        row(
            Cell(place.user.email, url=reverse("admin:tenants_user_change", args=[place.user_id])),
            place.get_role_display(),
            place.user_id in confirmed,
            place.user_id in with_second_factor,
            cell_of_login(place),
            place.created_at,
        )
        for place in places
    ]
    now = timezone.now()
    invited = [
        row(
            invitation.email,
            invitation.get_role_display(),
            invitation.sent_at or Cell("not sent", tone="warn"),
            Cell(f"{invitation.expires_at:%Y-%m-%d %H:%M}", tone="" if invitation.expires_at > now else "warn"),
        )
        for invitation in organization.invitations.pending().order_by("-created_at")[:LATEST]
    ]
    return Panel(
        "People",
        tables=[
            Table(
                "Members",
                ["Person", "Role", "Address confirmed", "Two-factor", "Last sign-in", "Member since"],
                members,
                "Nobody.",
                list_url("tenants_membership", organization),
            ),
            Table(
                "Pending invitations",
                ["Address", "Role", "Sent", "Expires"],
                invited,
                "No invitation is pending.",
                list_url("tenants_invitation", organization),
            ),
        ],
    )


def cell_of_login(place: Membership) -> Cell:
    """When the person last signed in; a switched-off account says so instead."""
    if not place.user.is_active:
        return Cell("account switched off", tone="bad")
    return support_page.cell(place.user.last_login, empty="never")


@add_panel(80)
def tokens(organization: Organization) -> Panel:
    rows = [
        row(
            token.name,
            f"…{token.last4}",
            ", ".join(token.scopes),
            support_page.cell(token.last_used_at, empty="never"),
            Cell(f"revoked {token.revoked_at:%Y-%m-%d %H:%M}", tone="warn") if token.revoked_at else "live",
        )
        for token in organization.api_tokens.order_by("-created_at")[:LATEST]
    ]
    headers = ["Name", "Ends in", "Scopes", "Last used", "State"]
    url = list_url("tenants_apitoken", organization)
    return Panel("API", tables=[Table("API tokens", headers, rows, "No API token was made.", url)])


@add_panel(90)
def latest_events(organization: Organization) -> Panel:
    rows = [
        row(
            Cell(f"{event.created_at:%Y-%m-%d %H:%M}", url=reverse("admin:tenants_auditevent_change", args=[event.pk])),
            event.actor_label,
            event.action,
            event.target,
            event.ip_address,
        )
        # Support's own looks, this one too, would leave room for nothing else.
        for event in organization.audit_events.exclude(action=VIEWED).order_by("-created_at", "-pk")[:LATEST]
    ]
    headers = ["When", "Who", "What", "On what", "From"]
    url = list_url("tenants_auditevent", organization)
    return Panel(
        "Audit log",
        tables=[Table("Latest events without support's looks", headers, rows, "Nothing was recorded.", url)],
    )
