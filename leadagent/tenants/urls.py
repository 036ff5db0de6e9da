"""Addresses of accounts and organisations; the front page itself is named `home` in the project's urls."""

from django.urls import path

from leadagent.tenants.views import audit, home, invitations, members, tokens

app_name = "tenants"

urlpatterns = [
    path("onboarding/", home.create, name="create"),
    path("organizations/", home.organizations, name="organizations"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
    path("invitations/offered/<int:invitation_id>/accept/", invitations.accept_offered, name="invitation_accept"),
    path("o/<slug:org>/", home.organization, name="organization"),
    path("o/<slug:org>/settings/members/", members.members, name="members"),
    path("o/<slug:org>/settings/members/<int:membership_id>/role/", members.member_role, name="member_role"),
    path("o/<slug:org>/settings/members/<int:membership_id>/remove/", members.member_remove, name="member_remove"),
    path("o/<slug:org>/settings/invitations/<int:invitation_id>/resend/", members.resend, name="invitation_resend"),
    path(
        "o/<slug:org>/settings/invitations/<int:invitation_id>/withdraw/", members.withdraw, name="invitation_withdraw"
    ),
    path("o/<slug:org>/leave/", members.leave_organization, name="leave"),
    path("o/<slug:org>/settings/tokens/", tokens.tokens, name="tokens"),
    path("o/<slug:org>/settings/tokens/<int:token_id>/revoke/", tokens.token_revoke, name="token_revoke"),
    path("o/<slug:org>/settings/audit/", audit.audit_log, name="audit"),
    path("o/<slug:org>/settings/audit/export/", audit.audit_export, name="audit_export"),
]
