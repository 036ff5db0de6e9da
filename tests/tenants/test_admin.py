"""Support staff in Django admin: sees state, changes little, leaves traces, sees no secret."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib import admin as django_admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leadagent.tenants.invitations import invite
from leadagent.tenants.models import (
    ApiToken,
    AuditEvent,
    Invitation,
    Membership,
    Organization,
    Role,
    User,
)
from tests.factories import MembershipFactory, UserFactory

MODELS = [Organization, Membership, Invitation, ApiToken, AuditEvent, User]
NAMES = [model._meta.model_name for model in MODELS]


@pytest.fixture
def support(client: Client, db: None) -> Client:
    """`is_staff` and nothing more: no permission is assigned by hand."""
    client.force_login(UserFactory(email="support@leadagent.test", is_staff=True))
    return client


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(email="root@leadagent.test", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(admin: Membership) -> dict[str, int]:
    """One row of every model, by model name."""
    invitation = invite(admin.organization, email="jo@example.test", role=Role.VIEWER, invited_by=admin.user)
    token = ApiToken.issue(admin.organization, name="Zapier", scopes=["usage:read"], created_by=admin.user)[0]
    return {
        "organization": admin.organization.pk,
        "membership": admin.pk,
        "invitation": invitation.pk,
        "apitoken": token.pk,
        "auditevent": AuditEvent.objects.latest("pk").pk,
        "user": admin.user.pk,
    }


def change(name: str, pk: int) -> str:
    return reverse(f"admin:tenants_{name}_change", args=[pk])


@pytest.mark.parametrize("name", NAMES)
def test_support_sees_lists_and_rows_without_hashes(name: str, support: Client, rows: dict[str, int]) -> None:
    listed = support.get(reverse(f"admin:tenants_{name}_changelist"))
    shown = support.get(change(name, rows[name]))
    assert (listed.status_code, shown.status_code) == (200, 200)
    hashes = [
        *Invitation.objects.values_list("token_hash", flat=True),
        *ApiToken.objects.values_list("token_hash", flat=True),
        *User.objects.values_list("password", flat=True),
    ]
    for response in (listed, shown):
        page = response.content.decode()
        assert not any(value in page for value in hashes)
        assert "md5$" not in page


@pytest.mark.parametrize("name", NAMES)
def test_support_adds_changes_and_deletes_nothing(name: str, support: Client, rows: dict[str, int]) -> None:
    assert support.get(reverse(f"admin:tenants_{name}_add")).status_code == 403
    assert support.post(change(name, rows[name]), {"name": "x", "role": "viewer"}).status_code == 403
    assert support.post(reverse(f"admin:tenants_{name}_delete", args=[rows[name]]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("name", NAMES)
def test_not_even_a_superuser_makes_or_deletes_by_hand(name: str, superuser: Client, rows: dict[str, int]) -> None:
    assert superuser.get(reverse(f"admin:tenants_{name}_add")).status_code == 403
    gone = superuser.post(reverse(f"admin:tenants_{name}_delete", args=[rows[name]]), {"post": "yes"})
    assert gone.status_code == 403


@pytest.mark.parametrize("name", ["organization", "membership", "invitation", "apitoken", "auditevent"])
def test_a_look_leaves_a_trace_in_the_organisation(
    name: str, support: Client, rows: dict[str, int], organization: Organization
) -> None:
    support.get(change(name, rows[name]))
    event = AuditEvent.objects.get(action="support.viewed")
    assert (event.organization, event.actor_label) == (organization, "support@leadagent.test")
    assert event.target


def test_a_look_at_nothing_leaves_none(support: Client) -> None:
    assert support.get(change("organization", 999), follow=True).status_code == 200
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("name", NAMES)
def test_others_are_kept_out(name: str, rows: dict[str, int], admin: Membership) -> None:
    client = Client()
    address = change(name, rows[name])
    assert client.get(address).headers["Location"].startswith(reverse("admin:login"))
    client.force_login(admin.user)
    assert client.get(address, follow=True).status_code == 403
    assert not AuditEvent.objects.filter(action="support.viewed").exists()


def test_admin_has_no_sign_in_of_its_own(client: Client, db: None) -> None:
    """It would go round two-factor sign-in and the limits."""
    UserFactory(email="support@leadagent.test", is_staff=True)
    response = client.post(
        reverse("admin:login"), {"username": "support@leadagent.test", "password": "correct horse battery staple"}
    )
    assert response.headers["Location"].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session


def test_switching_an_account_off_is_traced(superuser: Client, admin: Membership) -> None:
    address = change("user", admin.user.pk)
    response = superuser.post(address, {"is_staff": "", "is_superuser": ""})
    assert response.status_code == 302
    admin.user.refresh_from_db()
    assert not admin.user.is_active
    event = AuditEvent.objects.get(action="support.user_changed", organization=None)
    assert (event.actor_label, event.target) == ("root@leadagent.test", "admin@acme.test")
    assert (event.before, event.after) == ({"is_active": True}, {"is_active": False})


def test_every_organisation_of_a_person_learns_what_support_changed(superuser: Client, admin: Membership) -> None:
    second = MembershipFactory(user=admin.user).organization
    MembershipFactory()
    for _ in range(2):
        superuser.post(change("user", admin.user.pk), {"is_staff": "", "is_superuser": ""})
    events = AuditEvent.objects.filter(action="support.user_changed").order_by("pk")
    assert [event.organization for event in events] == [None, admin.organization, second]
    assert {(event.actor_label, event.target, str(event.after), event.ip_address) for event in events} == {
        ("root@leadagent.test", "admin@acme.test", "{'is_active': False}", "127.0.0.1")
    }
    # What an admin reads under Settings, Audit log.
    other = MembershipFactory(organization=second, role=Role.ADMIN)
    browser = Client()
    browser.force_login(other.user)
    page = browser.get(reverse("tenants:audit", args=[second.slug])).content.decode()
    assert "Support changed an account&#x27;s switches" in page
    assert "root@leadagent.test" in page


def test_the_second_factors_secret_is_not_in_admin() -> None:
    assert "mfa_authenticator" not in {model._meta.db_table for model in django_admin.site._registry}


def looks(organization: Organization) -> list[str]:
    events = AuditEvent.objects.filter(action="support.viewed", organization=organization).order_by("pk")
    return [event.target for event in events]


def test_every_look_at_a_row_is_kept(support: Client, rows: dict[str, int], organization: Organization) -> None:
    for _ in range(2):
        support.get(change("membership", rows["membership"]))
    support.get(reverse("admin:tenants_membership_history", args=[rows["membership"]]))
    assert len(looks(organization)) == 3


def test_a_list_of_one_organisation_is_a_look_at_it(
    support: Client, rows: dict[str, int], organization: Organization, outsider: Membership
) -> None:
    where = reverse("admin:tenants_membership_changelist")
    support.get(where)
    support.get(where, {"role": "admin"})
    assert looks(organization) == looks(outsider.organization) == []
    support.get(where, {"organization__id__exact": organization.pk})
    assert looks(organization) == ["list: memberships"]
    # Its pages and filters within ten minutes are the same look; another person's are not.
    support.get(where, {"q": "acme"})
    assert looks(organization) == ["list: memberships"]
    other = Client()
    other.force_login(UserFactory(is_staff=True))
    other.get(where, {"q": "acme"})
    assert looks(organization) == ["list: memberships"] * 2
    support.get(reverse("admin:tenants_organization_changelist"), {"q": "admin@acme.test"})
    assert looks(organization)[-1] == "list: organisations"
    assert looks(outsider.organization) == []


def test_a_list_is_a_new_look_after_ten_minutes(
    support: Client, rows: dict[str, int], organization: Organization
) -> None:
    where = reverse("admin:tenants_apitoken_changelist")
    start = timezone.now()
    for minutes in (0, 9, 11):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            support.get(where, {"q": "acme"})
    assert looks(organization) == ["list: API tokens"] * 2


def test_a_look_at_an_account_names_no_organisation(support: Client, rows: dict[str, int]) -> None:
    support.get(change("user", rows["user"]))
    assert AuditEvent.objects.get(action="support.viewed").organization is None


@pytest.mark.parametrize("name", ["password__startswith", "password", "memberships__user__password__startswith"])
def test_a_list_answers_no_question_about_a_hidden_column(name: str, support: Client) -> None:
    assert support.get(reverse("admin:tenants_user_changelist"), {name: "md5"}).status_code == 400


def test_addresses_and_groups_are_not_for_support_to_change() -> None:
    assert not {"account_emailaddress", "auth_group"} & {model._meta.db_table for model in django_admin.site._registry}


def test_the_index_leads_on(support: Client) -> None:
    page = support.get(reverse("admin:index")).content.decode()
    assert f'href="{reverse("adoption:page")}"' in page
    assert f'href="{reverse("admin:tenants_organization_changelist")}"' in page
