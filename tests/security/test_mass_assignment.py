"""Forms and calls set what they show, and nothing else: whatever a request names beside."""

import json
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from byok.config.saving import save_ai_config
from byok.models import AIConfig, DatedPrice
from leadagent.leads.models import PromptVersion, Voice
from leadagent.tenants.models import ApiToken, Invitation, Membership, Organization, Role, User
from tests.byok.asked import Asked
from tests.byok.catalog_rows import add_model
from tests.byok.keys import KEYS
from tests.factories import PASSWORD, MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db

# Names of columns, relations and settings that no form of ours offers.
SMUGGLED: dict[str, str] = {
    "id": "1", "pk": "1", "organization": "2", "organization_id": "2", "org": "other", "user": "1", "user_id": "1",
    "is_staff": "on", "is_superuser": "on", "is_active": "", "email_verified": "on", "verified": "on",
    "slug": "", "external_id": "org_evil", "created_at": "2001-01-01", "created_by": "1", "created_by_id": "1",
    "sealed_key": "v1:evil:evil:evil", "key_id": "deadbeef", "fingerprint": "0" * 64, "prefix": "sk-", "last4": "evil",
    "status_message": "evil", "checked_at": "2001-01-01", "next_check_at": "2001-01-01", "expires_at": "2001-01-01",
    "report": "{}", "rejection_told_at": "2001-01-01", "last_used_at": "2001-01-01", "saved_at": "2001-01-01",
    "updated_by": "1", "updated_by_id": "1", "token_hash": "0" * 64, "revoked_at": "", "accepted_at": "2001-01-01",
    "used": "0", "limit": "1000000", "key_owner": "platform", "base_url": "https://evil.test",
    "provider_url": "https://evil.test", "actual_cost": "0", "qualification": "QUALIFIED", "category": "QUALIFIED",
    "approved_by": "1", "source": "api", "idempotency_key": "evil",
}  # fmt: skip


@pytest.fixture
def client(admin: Membership) -> Client:
    client = Client()
    client.force_login(admin.user)
    return client


def smuggled_values() -> list[str]:
    return [value for value in SMUGGLED.values() if "evil" in value or value in {"deadbeef", "0" * 64}]


def anything_smuggled() -> list[str]:
    """Rows of ours that hold one of the values that were sent beside."""
    found = []
    for model in apps.get_models():
        if model._meta.app_label not in {"tenants", "byok", "usage", "leads"}:
            continue
        for row in model._default_manager.values():
            found += [f"{model.__name__}.{name}" for name, value in row.items() if value in smuggled_values()]
    return found


def people() -> list[Any]:
    return list(User.objects.order_by("pk").values_list("email", "is_staff", "is_superuser", "is_active"))


def test_the_sign_up_form(client: Client) -> None:
    fresh = Client()
    form = {"email": "new@example.test", "password1": PASSWORD, "password2": PASSWORD, **SMUGGLED}
    assert fresh.post(reverse("account_signup"), form).status_code == 302
    made = User.objects.get(email="new@example.test")
    assert (made.is_staff, made.is_superuser, made.is_active) == (False, False, True)
    assert not EmailAddress.objects.get(user=made).verified
    assert anything_smuggled() == []


def test_a_new_organisation(client: Client, admin: Membership) -> None:
    before = people()
    client.post(reverse("tenants:create"), {**SMUGGLED, "name": "Fresh", "slug": "fresh", "role": "viewer"})
    made = Organization.objects.get(slug="fresh")
    assert made.external_id is None
    assert [(row.user, row.role) for row in made.memberships.all()] == [(admin.user, Role.ADMIN)]
    assert people() == before
    assert anything_smuggled() == []


def test_an_invitation(client: Client, organization: Organization) -> None:
    other = OrganizationFactory()
    where = reverse("tenants:members", args=[organization.slug])
    client.post(where, {**SMUGGLED, "organization": other.pk, "email": "jo@example.test", "role": "viewer"})
    made = Invitation.objects.get()
    assert (made.organization, made.email, made.role, made.accepted_at) == (
        organization, "jo@example.test", Role.VIEWER, None,
    )  # fmt: skip
    assert anything_smuggled() == []


def test_a_members_role(client: Client, organization: Organization) -> None:
    row = MembershipFactory(organization=organization, role=Role.VIEWER)
    other = OrganizationFactory()
    where = reverse("tenants:member_role", args=[organization.slug, row.pk])
    client.post(where, {**SMUGGLED, "organization": other.pk, "user": 999, "role": "member"})
    changed = Membership.objects.get(pk=row.pk)
    assert (changed.organization, changed.user, changed.role) == (organization, row.user, Role.MEMBER)
    client.post(where, {"role": "owner"})
    assert Membership.objects.get(pk=row.pk).role == Role.MEMBER


def test_an_api_token(client: Client, organization: Organization) -> None:
    where = reverse("tenants:tokens", args=[organization.slug])
    client.post(where, {**SMUGGLED, "name": "CI", "scopes": ["usage:read"]})
    made = ApiToken.objects.get()
    assert (made.organization, made.scopes, made.revoked_at) == (organization, ["usage:read"], None)
    client.post(where, {"name": "More", "scopes": ["usage:read", "admin:everything"]})
    assert ApiToken.objects.count() == 1
    assert anything_smuggled() == []


def test_the_ai_configuration(client: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    other = OrganizationFactory()
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    save_ai_config(other, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    row, untouched = organization.credentials.get(), other.credentials.get()
    fields = {
        "provider": "openai", "api_key": "", "chat_model": "gpt-4o", "embedding_provider": "openai",
        "embedding_model": "text-embedding-3-small", "version": "1",
    }  # fmt: skip
    where = reverse("byok:settings", args=[organization.slug])
    hidden = {**SMUGGLED, "organization": other.pk, "save_untested": "on", "status": "ok"}
    answer = client.post(where, {**hidden, **fields})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    after = organization.credentials.get()
    for name in ("sealed_key", "key_id", "fingerprint", "status", "status_message", "checked_at", "saved_at", "report"):
        assert getattr(after, name) == getattr(row, name), name
    assert other.credentials.get().sealed_key == untouched.sealed_key
    assert other.ai_config.chat_model == "gpt-4o"
    assert anything_smuggled() == []


def test_a_model_of_the_catalog(client: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byok.checking.proving.test_ai_connection", Asked())
    other = OrganizationFactory()
    for owner in (organization, other):
        save_ai_config(owner, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"], usage_tracking=False)
    row = organization.credentials.get()
    add_model("gpt-5", route="openai", vendor="openai")
    more = {"provider": "anthropic", "chat_model": "gpt-4", "api_key": KEYS["openai"][::-1], "usage_tracking": "on"}
    fields = {"m": "openai:gpt-5", "for": "chat", "version": "1"}
    answer = client.post(
        reverse("byok:catalog_select", args=[organization.slug]),
        {**SMUGGLED, **more, "organization": other.pk, **fields},
    )
    assert answer.status_code == 302, answer.content.decode()[:2000]
    config = AIConfig.objects.get(organization=organization)
    assert (config.provider, config.chat_model, config.usage_tracking) == ("openai", "gpt-5", False)
    assert organization.credentials.get().sealed_key == row.sealed_key
    assert other.ai_config.chat_model == "gpt-4o"
    assert anything_smuggled() == []


def test_alerts_and_budgets(client: Client, organization: Organization) -> None:
    other = OrganizationFactory()
    where = reverse("usage:alerts", args=[organization.slug])
    hidden = {"sealed": "v1:evil:evil:evil", "taken": "0", "month": "2001-01-01", "state": "sent", "operation": "evil"}
    fields = {"hard_all": "5", "soft_evil": "1", "webhook_url": "https://hooks.example.com/x"}
    assert client.post(where, {**SMUGGLED, **hidden, "organization": other.pk, **fields}).status_code == 200
    assert [(row.operation, row.hard) for row in organization.budgets.all()] == [("", Decimal(5))]
    assert not other.budgets.exists()
    assert not other.alert_secrets.exists()
    assert organization.alert_secrets.get().sealed.startswith("v1:")
    assert anything_smuggled() == []


def test_the_api_refuses_what_it_does_not_know(organization: Organization) -> None:
    _, text = ApiToken.issue(organization, name="CI", scopes=["config:write"], created_by=None)
    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"])
    for name, value in SMUGGLED.items():
        body = json.dumps({"models": {"chat": "gpt-5"}, name: value})
        answer = Client().post(
            "/api/ai-config", body, content_type="application/json", headers={"Authorization": f"Bearer {text}"}
        )
        assert answer.status_code == 422, name
        assert answer.json()["error"]["field"] == name
    assert organization.ai_config.version == 1


def test_a_negotiated_price(client: Client, organization: Organization, admin: Membership) -> None:
    other = OrganizationFactory()
    fields = {
        "provider": "openai", "model": "gpt-4o", "input_price": "2", "output_price": "8",
        "starts_on": timezone.now().date().isoformat(), "last_day": "", "note": "Contract 7",
    }  # fmt: skip
    hidden = {"effective_from": "2001-01-01", "effective_until": "2001-02-01", "route": "anthropic", "model_id": "evil"}
    where = reverse("byok:price_add", args=[organization.slug])
    answer = client.post(where, {**SMUGGLED, "organization": other.pk, **hidden, **fields})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    [made] = DatedPrice.objects.all()
    assert (made.organization, made.created_by, made.route, made.model_id) == (
        organization,
        admin.user,
        "openai",
        "gpt-4o",
    )
    assert (made.source, made.effective_from.year > 2001, made.effective_until) == ("negotiated", True, None)
    assert anything_smuggled() == []


def test_the_public_form(client: Client, organization: Organization) -> None:
    other = OrganizationFactory()
    fields = {"name": "Jo", "email": "jo@lead.test", "message": "Hello", "company": "", "phone": ""}
    Client().post(reverse("leads:intake", args=[organization.slug]), {**SMUGGLED, "organization": other.pk, **fields})
    [lead] = organization.leads.all()
    assert (lead.source, lead.status) == ("form", "working")
    assert not other.leads.exists()
    assert lead.idempotency_key != "evil"
    assert lead.runs.get().category == ""
    assert anything_smuggled() == []


def test_the_voice(client: Client, organization: Organization, admin: Membership) -> None:
    other = OrganizationFactory()
    fields = {
        "sender_name": "Acme Sales", "reply_to": "sales@acme.test", "language": "", "tone": "plain", "version": "0",
    }  # fmt: skip
    hidden = {**SMUGGLED, "organization": other.pk, "updated_at": "2001-01-01"}
    assert client.post(reverse("leads:voice", args=[organization.slug]), {**hidden, **fields}).status_code == 302
    [made] = Voice.objects.all()
    assert (made.organization, made.updated_by, made.version) == (organization, admin.user, 1)
    assert made.updated_at.year > 2001
    assert anything_smuggled() == []


def test_a_prompt(client: Client, organization: Organization, admin: Membership) -> None:
    other = OrganizationFactory()
    where = reverse("leads:prompt", args=[organization.slug, "research"])
    hidden = {**SMUGGLED, "organization": other.pk, "number": "99", "operation": "evil", "version": "7"}
    assert client.post(where, {**hidden, "text": "Look.", "note": "", "seen": "0"}).status_code == 302
    [made] = PromptVersion.objects.all()
    assert (made.organization, made.operation, made.number, made.created_by) == (
        organization, "research", 1, admin.user,
    )  # fmt: skip
    assert anything_smuggled() == []


def test_a_document_and_a_file(client: Client, organization: Organization, admin: Membership) -> None:
    other = OrganizationFactory()
    hidden = {
        "organization": other.pk, "status": "ready", "version": "9", "searchable_version": "9", "kind": "pdf",
        "file_name": "evil", "platform_granted": "on", "platform_reason": "evil", "replaces": "1", "attempts": "7",
        "error_sentence": "evil", "error_code": "evil", "name": "evil", "size": "1",
    }  # fmt: skip
    where = reverse("leads:knowledge_add", args=[organization.slug])
    client.post(where, {**SMUGGLED, **hidden, "title": "Prices", "content": "Ten dollars."})
    [made] = organization.documents.all()
    assert (made.status, made.version, made.searchable_version, made.kind) == ("pending", 1, 0, "pasted")
    assert (made.created_by, made.platform_granted) == (admin.user, False)
    for act in ("rename", "replace"):
        where = reverse(f"leads:knowledge_{act}", args=[organization.slug, made.pk])
        # The version that was read is told; it is not set.
        client.post(where, {**SMUGGLED, **hidden, "version": "1", "title": "List", "content": "Twenty dollars."})
    [made] = organization.documents.all()
    assert (made.title, made.status, made.version, made.searchable_version) == ("List", "pending", 2, 0)
    where = reverse("leads:knowledge_upload", args=[organization.slug])
    client.post(where, {**SMUGGLED, **hidden, "file": SimpleUploadedFile("a.txt", b"Ten dollars.")})
    [upload] = organization.uploads.all()
    assert (upload.name, upload.size, upload.status, upload.replaces) == ("a.txt", 12, "waiting", None)
    assert not other.documents.exists()
    assert not other.uploads.exists()
    assert anything_smuggled() == []
