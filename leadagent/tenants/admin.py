"""Support staff's view of accounts and organisations: state and history, never a secret.

Everything but the switches of a user's account is read-only: members, invitations and
tokens change through the pages, where the rules and the audit log are.
"""

from typing import Any

# These register models now, so that they can be unregistered below.
import allauth.account.admin
import allauth.mfa.admin  # noqa: F401
import django.contrib.auth.admin  # noqa: F401
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from leadagent.tenants import (
    audit,
    organization_admin,  # noqa: F401  # registers the organisations
)
from leadagent.tenants.models import ApiToken, AuditEvent, Invitation, Membership, Organization, User
from leadagent.tenants.support import AuditedAdmin, ReadOnlyAdmin

# The admin's own sign-in form would go round MFA and the sign-in limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = "Lead Agent support"
# The first one's page shows the TOTP secret. Addresses are the person's own to change, and rights come from
# `is_staff` and the memberships, not from groups.
admin.site.unregister([Authenticator, EmailAddress, Group])


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "organization", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "organization__name", "organization__slug")
    fields = ("organization", "user", "role", "created_at")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("email", "organization", "role", "sent_at", "expires_at", "accepted_at")
    list_select_related = ("organization",)
    search_fields = ("email", "organization__slug")
    fields = ("organization", "email", "role", "invited_by", "created_at", "sent_at", "expires_at", "accepted_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "last4", "organization", "last_used_at", "revoked_at")
    list_select_related = ("organization",)
    search_fields = ("name", "organization__slug")
    fields = ("organization", "name", "last4", "scopes", "created_by", "created_at", "last_used_at", "revoked_at")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "organization", "actor_label", "action", "target", "ip_address")
    list_filter = ("action",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "actor_label", "target")
    date_hierarchy = "created_at"
    fields = (
        "created_at", "organization", "actor_label", "action", "target", "before", "after", "ip_address",
        "position", "previous_hash", "hash",
    )  # fmt: skip


@admin.register(User)
class UserAdmin(AuditedAdmin):
    """The account's switches; address and password belong to the person."""

    list_display = ("email", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    switches = ("is_active", "is_staff", "is_superuser")
    fields = ("email", "first_name", "last_name", *switches, "last_login", "date_joined")
    readonly_fields = ("email", "first_name", "last_name", "last_login", "date_joined")
    organization_path = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Switched off, not deleted: an organisation could lose its last admin.
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        changed = [name for name in self.switches if name in form.changed_data]
        super().save_model(request, obj, form, change)
        if not changed:
            return
        # The admins of the person's organisations learn of it; support's own chain has all of them.
        places = Organization.objects.filter(memberships__user=obj).order_by("pk")
        for place in (None, *places):
            audit.record(
                "support.user_changed",
                organization=place,
                target=obj.email,
                before={name: form.initial[name] for name in changed},
                after={name: form.cleaned_data[name] for name in changed},
                request=request,
            )
