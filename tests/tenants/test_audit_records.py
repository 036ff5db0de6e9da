"""What leaves a trace: accounts of members, refused attempts, tokens in use."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.urls import reverse

from leadagent.tenants.api_tokens import note_use
from leadagent.tenants.audit_trail.diff import MAX_TEXT, Change, changes
from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Organization, Role
from tests.factories import PASSWORD, MembershipFactory, OrganizationFactory
from tests.tenants.test_accounts import link_in, sign_in

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]
NEW = "another correct horse battery"


def actions(organization: Organization | None) -> list[str]:
    return list(AuditEvent.objects.filter(organization=organization).order_by("pk").values_list("action", flat=True))


@pytest.fixture
def second_place(member: Membership) -> Organization:
    """The member is in Globex too; someone else's organisation is there to be left alone."""
    MembershipFactory()
    return MembershipFactory(user=member.user, organization__slug="globex").organization


# --- Accounts -----------------------------------------------------------------------


def test_every_organisation_of_a_person_learns_of_sign_in_and_out(
    client: Client, member: Membership, second_place: Organization
) -> None:
    sign_in(client, member.user.email)
    client.post(reverse("account_logout"))
    for place in (member.organization, second_place):
        assert actions(place) == ["account.signed_in", "account.signed_out"]
    assert AuditEvent.objects.count() == 4
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.actor, event.ip_address) == (member.user, "127.0.0.1")


def test_a_failed_sign_in_leaves_none(client: Client, member: Membership) -> None:
    sign_in(client, member.user.email, "wrong password")
    assert not AuditEvent.objects.exists()


def test_a_changed_password(client: Client, member: Membership) -> None:
    sign_in(client, member.user.email)
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    event = AuditEvent.objects.get(action="account.password_changed")
    assert (event.organization, event.actor, event.after) == (
        member.organization,
        member.user,
        {"other_sessions": "ended"},
    )
    assert NEW not in str(AuditEvent.objects.values_list())


def test_a_password_reset_by_email(client: Client, member: Membership) -> None:
    client.post(reverse("account_reset_password"), {"email": member.user.email})
    link = client.get(link_in(mail.outbox[0], "/accounts/password/reset/key/")).headers["Location"]
    client.post(link, {"password1": NEW, "password2": NEW})
    event = AuditEvent.objects.get(action="account.password_reset")
    assert (event.organization, event.actor_label) == (member.organization, member.user.email)


@pytest.mark.django_db(transaction=True)
def test_two_factor_sign_in_on_and_off(client: Client, member: Membership) -> None:
    sign_in(client, member.user.email)
    # allauth asks for the password once more before it shows the secret.
    client.post(client.get(reverse("mfa_activate_totp")).headers["Location"], {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    client.post(reverse("mfa_activate_totp"), {"code": code})
    client.post(reverse("mfa_generate_recovery_codes"))
    client.post(reverse("mfa_deactivate_totp"))
    seen = [action for action in actions(member.organization) if action != "account.signed_in"]
    assert seen == [
        "account.mfa_enabled",
        "account.recovery_codes_made",
        "account.recovery_codes_made",
        "account.mfa_disabled",
    ]
    assert secret not in str(AuditEvent.objects.values_list())


def test_a_changed_address(client: Client, member: Membership) -> None:
    EmailAddress.objects.create(user=member.user, email="new@acme.test", verified=True)
    sign_in(client, member.user.email)
    client.post(reverse("account_email"), {"email": "new@acme.test", "action_primary": ""})
    event = AuditEvent.objects.get(action="account.email_changed")
    assert (event.before, event.after) == ({"address": "member@acme.test"}, {"address": "new@acme.test"})


def test_support_staff_is_noted_outside_of_all_organisations(client: Client, member: Membership) -> None:
    member.user.is_staff = True
    member.user.save()
    sign_in(client, member.user.email)
    assert actions(None) == actions(member.organization) == ["account.signed_in"]


# --- Refused attempts ---------------------------------------------------------------


def test_a_refused_attempt_is_noted_once_per_person_address_and_hour(
    member: Membership, viewer: Membership, signed_in: SignIn
) -> None:
    members, tokens = (reverse(f"tenants:{name}", args=["acme"]) for name in ("members", "tokens"))
    with time_machine.travel(datetime(2026, 3, 1, 12, 10, tzinfo=UTC), tick=False) as clock:
        client = signed_in(member)
        for _ in range(3):
            assert client.get(members).status_code == 403
            client.post(members)
        client.get(tokens)
        signed_in(viewer).get(members)
        clock.shift(timedelta(minutes=49))
        client.get(members)
        assert AuditEvent.objects.count() == 3
        clock.shift(timedelta(minutes=1))
        client.get(members)
    assert list(AuditEvent.objects.order_by("pk").values_list("actor_label", "action", "target")) == [
        ("member@acme.test", "access.refused", "tenants:members"),
        ("member@acme.test", "access.refused", "tenants:tokens"),
        ("viewer@acme.test", "access.refused", "tenants:members"),
        ("member@acme.test", "access.refused", "tenants:members"),
    ]
    event = AuditEvent.objects.first()
    assert event is not None
    assert event.after == {"has": "member", "needed": "admin", "method": "GET"}


def test_numbers_in_an_address_make_no_new_attempt(member: Membership, signed_in: SignIn) -> None:
    client = signed_in(member)
    for number in range(5):
        client.post(reverse("tenants:member_role", args=["acme", number]))
    assert AuditEvent.objects.get().target == "tenants:member_role"


def test_an_outsider_writes_nothing_into_a_log(
    outsider: Membership, organization: Organization, signed_in: SignIn
) -> None:
    signed_in(outsider).get(reverse("tenants:members", args=["acme"]))
    assert not AuditEvent.objects.exists()


@pytest.mark.urls("tests.tenants.api_urls")
def test_refused_api_calls(client: Client, organization: Organization, viewer: Membership, signed_in: SignIn) -> None:
    token, text = ApiToken.issue(organization, name="Form", scopes=["leads:write"], created_by=None)
    for _ in range(2):
        assert client.get("/test-api/things", headers={"Authorization": f"Bearer {text}"}).status_code == 403
    signed_in(viewer).post("/test-api/things", {"name": "One"}, content_type="application/json")
    refused = AuditEvent.objects.filter(action="access.refused").order_by("pk")
    assert [(event.actor_label, event.after) for event in refused] == [
        (f"API token {token}", {"has": "leads:write", "needed": "usage:read", "method": "GET"}),
        ("viewer@acme.test", {"has": "viewer", "needed": "member", "method": "POST"}),
    ]


# --- Tokens -------------------------------------------------------------------------


@pytest.mark.urls("tests.tenants.api_urls")
def test_a_token_is_noted_once_a_day(client: Client, organization: Organization) -> None:
    token, text = ApiToken.issue(organization, name="Form", scopes=["usage:read"], created_by=None)
    with time_machine.travel(datetime(2026, 3, 1, 0, 0, tzinfo=UTC), tick=False) as clock:
        for minutes in (0, 2, 1000, 437, 1, 1440):
            clock.shift(timedelta(minutes=minutes))
            client.get("/test-api/things", headers={"Authorization": f"Bearer {text}"}, REMOTE_ADDR="198.51.100.9")
    events = AuditEvent.objects.filter(action="api_token.used").order_by("pk")
    assert [event.created_at.date().isoformat() for event in events] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    event = events[0]
    assert (event.organization, event.actor_label) == (organization, f"API token {token}")
    assert (event.target, event.ip_address) == (f"Form (…{token.last4})", "198.51.100.9")
    assert text not in str(AuditEvent.objects.values_list())


@pytest.mark.django_db(transaction=True)
def test_of_many_first_calls_one_is_noted() -> None:
    token, _ = ApiToken.issue(OrganizationFactory(), name="Form", scopes=[], created_by=None)
    start = threading.Barrier(8)
    raised: list[Exception] = []

    def call() -> None:
        request = RequestFactory().get("/")
        request.user = AnonymousUser()
        request.api_token = token  # type: ignore[attr-defined]
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            start.wait(timeout=10)
            note_use(ApiToken.objects.select_related("organization").get(pk=token.pk), request=request)
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert raised == []
    assert AuditEvent.objects.filter(action="api_token.used").count() == 1
    assert ApiToken.objects.get().last_used_at is not None


def test_the_time_of_the_last_use_never_goes_back(organization: Organization) -> None:
    """A slow process whose clock says yesterday must not make today begin again."""
    token, _ = ApiToken.issue(organization, name="Form", scopes=[], created_by=None)
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    late, early = datetime(2026, 3, 2, 0, 1, tzinfo=UTC), datetime(2026, 3, 1, 23, 58, tzinfo=UTC)
    for at in (late, early, late + timedelta(minutes=5)):
        with time_machine.travel(at, tick=False):
            # As each process had read the row before any of them wrote.
            note_use(ApiToken(pk=token.pk, organization=organization, name="Form", scopes=[]), request=request)
    assert AuditEvent.objects.filter(action="api_token.used").count() == 1
    assert ApiToken.objects.get().last_used_at == late + timedelta(minutes=5)


# --- Changes in words ---------------------------------------------------------------


def test_changes_are_the_fields_that_differ() -> None:
    before = {"chat_model": "a", "same": 1, "cost_alert": {"limit": None, "on": False}, "gone": "x"}
    after = {"chat_model": "b", "same": 1, "cost_alert": {"limit": "5.00", "on": True}, "came": ["x", "y"]}
    assert changes(before, after) == [
        Change("Came", "nothing", "x; y"),
        Change("Chat model", "a", "b"),
        Change("Cost alert, limit", "nothing", "5.00"),
        Change("Cost alert, on", "no", "yes"),
        Change("Gone", "x", "nothing"),
    ]


def test_one_side_shows_all_of_it() -> None:
    assert changes(None, {"role": "admin", "last4": "wxyz"}) == [
        Change("Key ends in", None, "wxyz"),
        Change("Role", None, "admin"),
    ]
    assert changes({"role": "admin"}, None) == [Change("Role", "admin", None)]
    assert changes(None, None) == changes({}, {}) == changes({"a": 1}, {"a": 1}) == []


def test_lists_of_objects_and_long_texts_can_be_read() -> None:
    [change] = changes(None, {"lines": [{"check": "key", "ok": True}, {"check": "chat", "ok": False}]})
    assert change.after == "check key, ok yes; check chat, ok no"
    [long] = changes(None, {"text": "x" * 1000})
    assert long.after is not None
    assert len(long.after) == MAX_TEXT
    assert long.after.endswith("…")


def test_a_role_is_enough(organization: Organization, signed_in: SignIn) -> None:
    """Whoever is let in leaves no refusal."""
    signed_in(MembershipFactory(organization=organization, role=Role.ADMIN)).get(
        reverse("tenants:audit", args=["acme"])
    )
    assert not AuditEvent.objects.exists()
