"""Support staff and keys: every admin page is walked, and no page, address or question gives a secret away."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib import admin
from django.db import connection
from django.db.models import ForeignObjectRel
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.config.backfill import backfill_ai_config
from byok.config.saving import save_ai_config
from byok.encryption import fingerprint
from byok.models import (
    Announcement,
    CatalogChange,
    CatalogDigest,
    CatalogModel,
    CatalogSync,
    ChangeKind,
    DatedPrice,
    KeyUseDay,
    ProviderCredential,
    SealingSecret,
    SupersededKey,
)
from leadagent.leads.models import RunStatus, WorkflowRun
from leadagent.tenants.invitations import invite
from leadagent.tenants.models import ApiToken, AuditEvent, Invitation, Membership, Organization, Role, User
from tests.byok.keys import KEYS, PLATFORM_KEY
from tests.factories import MembershipFactory, UserFactory
from tests.leads.factories import DocumentFactory, draft_under_review
from tests.usage.factories import finished, store
from usage.alerting.cost_alert import CostAlertChoice, save_cost_alert
from usage.models import AlertSent, DroppedMonth, FreeTierMonth, InboxKind, UsageInbox

OLD_KEY = "sk-or-v1-0ld0ld0ld0ld0ld0ld0ld0ld0labcd"
STARTS = ("/admin/", "/admin/adoption/")


@pytest.fixture
def acme(organization: Organization) -> Membership:
    """Acme with everything that support can see of an organisation, and all the secrets there are."""
    place = MembershipFactory(organization=organization, user__email="admin@acme.test", role=Role.ADMIN)
    report = ConnectionReport(
        "openrouter",
        timezone.now(),
        [
            ReportLine("key", "Key", LineState.OK, "The key was accepted."),
            ReportLine("credit", "Credit", LineState.WARNING, "$0.40 left.", "Top it up at OpenRouter."),
        ],
        expires_at=timezone.now() + timedelta(days=5),
    )
    for key in (OLD_KEY, KEYS["openrouter"]):
        save_ai_config(
            organization,
            provider="openrouter",
            chat_model="anthropic/claude-sonnet-5.5",
            api_key=key,
            report=report,
            actor=place.user,
        )
    save_cost_alert(organization, CostAlertChoice(True, 100, "costs@acme.test"))  # type: ignore[arg-type]
    ApiToken.issue(organization, name="Zapier", scopes=["usage:read"], created_by=place.user)
    invite(organization, email="jo@example.test", role=Role.VIEWER, invited_by=place.user)
    TOTP.activate(place.user, generate_totp_secret())
    RecoveryCodes.activate(place.user)
    today = timezone.now().date()
    month = today.replace(day=1)
    AlertSent.objects.create(organization=organization, month=month, threshold=100, cost=101)
    Announcement.objects.create(organization=organization, name="byok", recipients=2)
    FreeTierMonth.objects.create(organization=organization, month=month, used=46)
    credential = ProviderCredential.objects.get()
    KeyUseDay.objects.create(
        organization=organization, credential_id=credential.pk, provider="openrouter", day=today, calls=3
    )
    SealingSecret.objects.get_or_create(key_id=credential.key_id)
    now = timezone.now()
    store(
        finished(organization, at=now),
        finished(organization, at=now, success=False, error_code="rate_limited", http_status=429),
    )
    lost = finished(organization, at=now, success=False, estimated_cost=None, provider_request_id="gen-1")
    damaged = finished(organization)
    UsageInbox.objects.create(
        event_id=damaged.id, kind=InboxKind.FINISHED, payload=damaged.payload() | {"operation": "x" * 41}
    )
    store(lost)
    DroppedMonth.objects.create(month=month.replace(year=2020), rows=7)
    waiting = finished(organization)
    UsageInbox.objects.create(event_id=waiting.id, kind=InboxKind.FINISHED, payload=waiting.payload())
    run = draft_under_review(organization=organization).run
    WorkflowRun.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error_code="invalid_key")
    DocumentFactory(organization=organization)
    # One model of each kind is as good as all.
    kept = CatalogModel.objects.filter(model_id__in=["gpt-5.4", "text-embedding-3-small", "claude-3-opus-20240229"])
    CatalogModel.objects.exclude(pk__in=kept).delete()
    sync = CatalogSync.objects.create(source="openrouter")
    change = CatalogChange.objects.create(sync=sync, kind=ChangeKind.REPRICED, route="openai", model_id="gpt-5.4")
    CatalogDigest.objects.create(organization=organization).changes.add(change)
    DatedPrice.objects.create(
        organization=organization, route="openai", model_id="gpt-5.4", input_price=1, effective_from=now, source="deal"
    )
    return place


@pytest.fixture
def secrets(acme: Membership) -> list[str]:
    """Every secret of the installation, and the parts of envelopes that are not their public name."""
    [stored], [kept] = ProviderCredential.objects.all(), SupersededKey.objects.all()
    found = [KEYS["openrouter"], OLD_KEY, PLATFORM_KEY, django_settings.ENCRYPTION_SECRET, django_settings.SECRET_KEY]
    for row in (stored, kept):
        found += [row.sealed_key, *row.sealed_key.split(":")[2:], row.fingerprint]
    found += [*ApiToken.objects.values_list("token_hash", flat=True)]
    found += [*Invitation.objects.values_list("token_hash", flat=True)]
    found += [*User.objects.values_list("password", flat=True)]
    for second in Authenticator.objects.all():
        found += [str(value) for name, value in second.data.items() if name in {"secret", "seed"}]
    found += [fingerprint(KEYS["openrouter"])]
    assert len(found) >= 16
    assert all(len(secret) >= 16 for secret in found)
    return found


def staff(*, superuser: bool) -> Client:
    client = Client()
    client.force_login(UserFactory(email="support@leadagent.test", is_staff=True, is_superuser=superuser))
    return client


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "href" and value]


def walk(client: Client) -> Iterator[tuple[str, int, str]]:
    """Every admin page that links lead to, from the index on: lists, each filter's choices, each row, each history."""
    waiting, seen = list(STARTS), set(STARTS)
    # Every look makes one more event to look at.
    looks = re.compile(r"/admin/tenants/auditevent/(\d+)/")
    newest = AuditEvent.objects.latest("pk").pk
    while waiting:
        here = waiting.pop()
        response = client.get(here, headers={"x-walk": "1"})
        page = response.getvalue().decode()
        yield here, response.status_code, page + str(response.headers)
        links = Links()
        links.feed(page)
        for link in links.found:
            there = urljoin(here, link).partition("#")[0]
            # What a row's page was asked with is the way back to the list, and shows nothing more of the row.
            there = there.partition("?_changelist_filters=")[0]
            asked = parse_qs(urlsplit(there).query, keep_blank_values=True)
            # Two filters at once, or another order, show nothing that one does not.
            is_combined = len(asked) > 1 or "o" in asked
            is_left = not there.startswith("/admin/") or "/logout" in there or "/password_change" in there
            is_look = (event := looks.match(there)) is not None and int(event[1]) > newest
            if there not in seen and not is_combined and not is_left and not is_look:
                seen.add(there)
                waiting.append(there)


@pytest.mark.parametrize("superuser", [False, True], ids=["staff", "superuser"])
def test_no_admin_page_shows_a_secret(secrets: list[str], *, superuser: bool) -> None:
    visited = {}
    for address, status, page in walk(staff(superuser=superuser)):
        visited[address] = status
        assert status == 200, address
        shown = [secret[:12] for secret in secrets if secret in page]
        assert shown == [], address
        names = re.findall(r"sealed_key|token_hash|fingerprint|recovery_codes|md5\$", page)
        assert names == [], address
    lists = {reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist") for model in admin.site._registry}
    assert lists <= visited.keys()
    rows = [address for address in visited if address.endswith("/change/")]
    histories = [address for address in visited if address.endswith("/history/")]
    # At least one row of every model: nothing was walked past because it was empty.
    assert {address.split("/")[3] for address in rows} == {model._meta.model_name for model in admin.site._registry}
    assert len(histories) > 10
    assert len([address for address in visited if "?" in address]) > 120


# Columns that hold a secret, or say something about one; by the model that a list shows.
BLIND = {
    "byok_providercredential": ["sealed_key", "fingerprint", "superseded__sealed_key", "created_by__password"],
    "byok_supersededkey": ["sealed_key", "fingerprint", "credential__sealed_key", "credential__fingerprint"],
    "byok_aiconfig": ["organization__credentials__sealed_key", "updated_by__password"],
    "tenants_organization": ["credentials__sealed_key", "api_tokens__token_hash", "memberships__user__password"],
    "tenants_apitoken": ["token_hash", "created_by__password"],
    "tenants_invitation": ["token_hash"],
    "tenants_membership": ["user__password", "organization__credentials__sealed_key", "user__authenticator__data"],
    "tenants_user": ["password", "authenticator__data", "memberships__organization__credentials__sealed_key"],
    "tenants_auditevent": ["actor__password", "organization__credentials__sealed_key"],
    "usage_usagedaily": ["organization__credentials__sealed_key"],
    "leads_lead": ["idempotency_key", "organization__api_tokens__token_hash"],
}
HOWS = [
    "",
    "__startswith",
    "__contains",
    "__regex",
    "__gt",
    "__lt",
    "__gte",
    "__in",
    "__isnull",
    "__exact",
    "__iendswith",
]


@pytest.mark.parametrize("superuser", [False, True], ids=["staff", "superuser"])
@pytest.mark.parametrize("name", BLIND)
def test_blind_questions_are_refused(acme: Membership, name: str, *, superuser: bool) -> None:
    client = staff(superuser=superuser)
    where = reverse(f"admin:{name}_changelist")
    for column in BLIND[name]:
        for how in HOWS:
            assert client.get(where, {f"{column}{how}": "v1:"}).status_code == 400, column + how
        # Also as what a row is referred to by: answers would be its values.
        assert client.get(where, {"_to_field": column, "_popup": "1"}).status_code == 400, column
    [row] = (
        [acme.organization]
        if name == "tenants_organization"
        else apps.get_model(name.replace("_", "."))._default_manager.all()[:1]
    )
    detail = reverse(f"admin:{name}_change", args=[row.pk])
    for column in BLIND[name]:
        assert client.get(detail, {"_to_field": column}).status_code == 400, column


def test_searching_finds_nothing_by_secrets(secrets: list[str]) -> None:
    """Were a secret among the searched columns, its own text would find its row."""
    request = RequestFactory().get("/admin/")
    request.user = UserFactory(is_staff=True, is_superuser=True)
    for model, shown in admin.site._registry.items():
        everything = shown.get_queryset(request)
        assert everything.exists(), model
        if shown.search_fields:
            for secret in secrets:
                assert not shown.get_search_results(request, everything, secret)[0].exists(), (model, secret[:6])


def test_no_column_filter_or_order_is_a_secret() -> None:
    telling = re.compile(r"sealed|token_hash|fingerprint|password|secret|nonce|data$|told$")
    shown: Any
    for model, shown in admin.site._registry.items():
        named = [
            *shown.list_display, *shown.list_filter, *shown.search_fields, *(shown.ordering or ()),
            *(shown.fields or ()), *shown.readonly_fields, *shown.list_display_links, *(shown.sortable_by or ()),
        ]  # fmt: skip
        assert [name for name in named if isinstance(name, str) and telling.search(name)] == [], model


def test_autocomplete_answers_names_only(secrets: list[str]) -> None:
    client = staff(superuser=False)
    for app_label in ("byok", "tenants", "usage", "leads"):
        for model in apps.get_app_config(app_label).get_models():
            # Django's own view trips over the far side of a relation, and answers nothing.
            for field in (field for field in model._meta.get_fields() if not isinstance(field, ForeignObjectRel)):
                for term in ("", "v1:", KEYS["openrouter"]):
                    asked = {
                        "app_label": app_label,
                        "model_name": str(model._meta.model_name),
                        "field_name": field.name,
                        "term": term,
                    }
                    response = client.get(reverse("admin:autocomplete"), asked)
                    assert response.status_code in {200, 403, 404}
                    assert not any(secret in response.content.decode() for secret in secrets)
                    if response.status_code != 200:
                        # Refused for its column, before the term is looked at.
                        break


def test_bulk_acts_and_deleting_are_not_there(acme: Membership) -> None:
    client = staff(superuser=True)
    [stored] = ProviderCredential.objects.all()
    where = reverse("admin:byok_providercredential_changelist")
    client.post(where, {"action": "delete_selected", "_selected_action": [str(stored.pk)], "post": "yes"})
    gone = client.post(reverse("admin:byok_providercredential_delete", args=[stored.pk]), {"post": "yes"})
    assert gone.status_code == 403
    assert ProviderCredential.objects.filter(pk=stored.pk).exists()


def test_one_page_answers_a_call(acme: Membership) -> None:
    page = staff(superuser=False).get(reverse("admin:tenants_organization_change", args=[acme.organization_id]))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.content.decode()))
    for shown in (
        "admin@acme.test", "Admin", "jo@example.test", "Zapier", "usage:read",
        "OpenRouter", "anthropic/claude-sonnet-5.5", "Never: stop and say so",
        "sk-or-v1-••••••••••wxyz", "sk-or-v1-••••••••••abcd until", ProviderCredential.objects.get().key_id,
        "The key was accepted.", "Top it up at OpenRouter.", "warning", "today",
        "46 of 50", "rate_limited × 1", "$100.00", "costs@acme.test", "byok", "invalid_key",
        "credential.replaced",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_backfills_row_is_nobodys_choice(acme: Membership) -> None:
    quiet = MembershipFactory(organization__name="Globex").organization
    backfill_ai_config()
    page = staff(superuser=False).get(reverse("admin:tenants_organization_change", args=[quiet.pk]))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.content.decode()))
    assert "Stored nobody has saved: platform default" in text
    assert "Version 0 Updated by none Updated at none" in text


def test_the_page_takes_the_same_queries_for_more_rows(acme: Membership, django_assert_max_num_queries: object) -> None:
    client = staff(superuser=False)
    where = reverse("admin:tenants_organization_change", args=[acme.organization_id])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(where).status_code == 200
        return len(captured)

    queries()
    before = queries()
    MembershipFactory.create_batch(5, organization=acme.organization)
    for number in range(5):
        ApiToken.issue(acme.organization, name=f"Token {number}", scopes=["usage:read"], created_by=None)
    assert queries() == before
    assert before < 60


def recheck(credential: ProviderCredential) -> str:
    return reverse("admin:byok_providercredential_recheck", args=[credential.pk])


def test_support_may_ask_for_a_recheck_and_is_on_record(acme: Membership) -> None:
    client = staff(superuser=False)
    [stored] = ProviderCredential.objects.all()
    assert stored.next_check_at > timezone.now() + timedelta(hours=1)
    response = client.post(recheck(stored), {"from": "organization"})
    assert response.headers["Location"] == reverse("admin:tenants_organization_change", args=[acme.organization_id])
    before = {name: getattr(stored, name) for name in ("sealed_key", "status", "report", "updated_at")}
    stored.refresh_from_db()
    assert stored.next_check_at <= timezone.now()
    assert {name: getattr(stored, name) for name in before} == before
    event = AuditEvent.objects.get(action="support.recheck_asked")
    assert (event.organization, event.actor_label, event.target) == (
        acme.organization,
        "support@leadagent.test",
        "openrouter",
    )


def test_a_recheck_takes_a_post_a_token_and_staff(acme: Membership) -> None:
    [stored] = ProviderCredential.objects.all()
    where, due = recheck(stored), stored.next_check_at
    assert staff(superuser=False).get(where).status_code == 405
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(User.objects.get(email="support@leadagent.test"))
    assert careful.post(where).status_code == 403
    outsider = Client()
    assert outsider.post(where).headers["Location"].startswith(reverse("admin:login"))
    outsider.force_login(acme.user)
    assert outsider.post(where, follow=True).status_code == 403
    stored.refresh_from_db()
    assert stored.next_check_at == due
    assert not AuditEvent.objects.filter(action="support.recheck_asked").exists()


def test_the_list_tells_where_organisations_stand(acme: Membership) -> None:
    MembershipFactory(organization__name="Globex", organization__slug="globex")
    client = staff(superuser=False)
    where = reverse("admin:tenants_organization_changelist")

    def names(**asked: str) -> list[str]:
        shown = client.get(where, asked)
        assert shown.status_code == 200
        return [row.name for row in shown.context_data["cl"].result_list]  # type: ignore[index]

    assert names() == ["Acme", "Globex"]
    assert names(ai_provider="own") == names(ai_provider="openrouter") == ["Acme"]
    assert names(ai_provider="platform_default") == names(free_tier="none") == ["Globex"]
    assert names(free_tier="warned") == ["Acme"]
    assert names(key_status="ok") == ["Acme"]
    assert names(key_status="no_key") == []
    assert names(q="admin@acme.test") == ["Acme"]
    ProviderCredential.objects.all().delete()
    assert names(key_status="no_key") == ["Acme"]
    text = re.sub(r"<[^>]*>", " ", client.get(where).content.decode())
    assert "46 of 50" in text
    assert "No key stored" in text
