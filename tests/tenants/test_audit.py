"""The audit log holds who, what and where from, and no secret."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from leadagent.tenants import audit
from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Organization, Role
from tests.factories import UserFactory

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


def request_from(address: str, **more: Any) -> Any:
    request: Any = RequestFactory().get("/", REMOTE_ADDR=address, **more)
    return request


def test_the_person_and_the_address_come_from_the_request(admin: Membership) -> None:
    request = request_from("203.0.113.7")
    request.user = admin.user
    event = audit.record("key.saved", organization=admin.organization, request=request)
    event.refresh_from_db()
    assert (event.actor, event.actor_label, event.ip_address) == (admin.user, "admin@acme.test", "203.0.113.7")


def test_the_event_outlives_the_account(admin: Membership) -> None:
    event = audit.record("key.saved", organization=admin.organization, actor=admin.user)
    person = admin.user.pk
    admin.user.delete()
    again = AuditEvent.objects.select_related("actor").get(pk=event.pk)
    assert (again.actor, again.actor_id, again.actor_label) == (None, person, "admin@acme.test")


def test_support_can_still_read_what_outlived_its_organisation_and_actor(admin: Membership, client: Client) -> None:
    event = audit.record("key.saved", organization=admin.organization, actor=admin.user)
    admin.user.delete()
    admin.organization.delete()
    client.force_login(UserFactory(is_staff=True))
    for address in (
        reverse("admin:tenants_auditevent_changelist"),
        reverse("admin:tenants_auditevent_change", args=[event.pk]),
    ):
        response = client.get(address)
        assert response.status_code == 200
        assert "admin@acme.test" in response.content.decode()


def test_the_event_outlives_the_organisation(organization: Organization) -> None:
    event = audit.record("key.saved", organization=organization)
    number = organization.pk
    organization.delete()
    again = AuditEvent.objects.select_related("organization").get(pk=event.pk)
    assert (again.organization, again.organization_id) == (None, number)


@pytest.mark.parametrize(
    ("trusted", "seen", "noted"),
    [
        (False, "198.51.100.1", "203.0.113.7"),
        (True, "198.51.100.1", "198.51.100.1"),
        (True, "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        (True, "not an address", None),
    ],
)
def test_the_address_behind_a_proxy(
    organization: Organization, settings: Settings, trusted: bool, seen: str, noted: str | None
) -> None:
    """Only the last address is the proxy's own word; the ones before it are the visitor's."""
    settings.TRUST_PROXY = trusted
    request = request_from("203.0.113.7", headers={"X-Forwarded-For": seen})
    request.user = None
    event = audit.record("key.saved", organization=organization, actor=None, request=_anonymous(request))
    event.refresh_from_db()
    assert event.ip_address == noted


def test_a_socket_has_no_address(organization: Organization) -> None:
    assert audit.record("x", organization=organization, request=_anonymous(request_from(""))).ip_address is None


def test_a_call_by_token_is_the_tokens(organization: Organization) -> None:
    request = _anonymous(request_from("203.0.113.7"))
    request.api_token = ApiToken.issue(organization, name="Zapier", scopes=[], created_by=None)[0]
    event = audit.record("lead.created", organization=organization, request=request)
    assert event.actor_label == f"API token Zapier (…{request.api_token.last4})"


def test_secrets_are_left_out_by_name_and_by_shape(organization: Organization) -> None:
    event = audit.record(
        "key.saved",
        organization=organization,
        target=f"pasted {KEY}",
        before={"api_key": "anything", "Token": "anything", "provider": "openrouter"},
        after={"note": f"key {KEY}", "nested": {"secret": "x", "list": [KEY, 5]}, "enabled": True},
    )
    event.refresh_from_db()
    assert event.before == {"provider": "openrouter"}
    assert event.after == {
        "note": "key [key removed]",
        "nested": {"list": ["[key removed]", 5]},
        "enabled": True,
    }
    assert event.target == "pasted [key removed]"


MARKER = "MARKER-7c1f55e2-this-is-no-known-shape-of-a-key"


@pytest.mark.parametrize(
    "name",
    [
        "apiKey", "api_key", "x-api-key", "X-API-KEY", "authorization", "Authorization", "sealed_key", "sealedKey",
        "fingerprint", "key_fingerprint", "encryptedApiKey", "clientSecret", "access_token", "accesstoken", "PASSWORD",
        "newPassword", "apikey", "session_key", "Cookie", "private_key", "recovery codes", "totp", "keys", "tokens",
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["plain", "nested", "listed", "in_a_list_of_lists"])
def test_no_name_lets_a_secret_in(name: str, shape: str, organization: Organization) -> None:
    """A value that no pattern knows: only the name tells."""
    shapes: dict[str, dict[str, Any]] = {
        "plain": {name: MARKER},
        "nested": {"provider": {"headers": {name: MARKER}}},
        "listed": {"sent": [{name: [MARKER]}]},
        "in_a_list_of_lists": {"sent": [[({name: {"value": MARKER}},)]]},
    }
    values = shapes[shape]
    event = audit.record("key.saved", organization=organization, before=values, after=values)
    event.refresh_from_db()
    assert MARKER not in str(AuditEvent.objects.values_list())
    assert event.before == event.after


@pytest.mark.parametrize("key", [KEY, "sk-ant-api03-abcdefghijklmnop", "lat_0123456789abcdef0123", f"Bearer {KEY}"])
def test_no_place_lets_a_known_shape_in(key: str, organization: Organization) -> None:
    token = ApiToken.issue(organization, name=f"pasted {key}", scopes=[], created_by=None)[0]
    request = _anonymous(request_from("203.0.113.7"))
    request.api_token = token
    values = {"note": key, key: "as a name", "list": [[key], (f"x{key}",)], "nested": {"deep": {"note": f"so: {key}"}}}
    audit.record("key.saved", organization=organization, target=key, before=values, after=values, request=request)
    assert key.removeprefix("Bearer ") not in str(AuditEvent.objects.values_list())


def test_what_says_something_about_a_secret_stays(organization: Organization) -> None:
    values = {
        "key_id": "k2",
        "has_key": True,
        "keys": 3,
        "total_tokens": 12,
        "token": None,
        "last4": "wxyz",
        "pin": 1234,
    }
    event = audit.record("x", organization=organization, after=values)
    event.refresh_from_db()
    assert event.after == {key: value for key, value in values.items() if key != "pin"}


def test_whatever_is_given_can_be_stored(organization: Organization) -> None:
    """An audit event must not be what makes an act fail."""
    values: Any = {
        "cost": Decimal("3.4500"), "day": date(2026, 1, 2), "role": Role.ADMIN, "raw": b"\x00\xff", "set": {1},
        "text": "a\x00b\ud800", "id": UUID(int=1), 5: "five",
    }  # fmt: skip
    event = audit.record("x", organization=organization, target="a\x00b\ud800" + "x" * 300, after=values)
    event.refresh_from_db()
    assert event.after == {
        "cost": "3.4500", "day": "2026-01-02", "role": "admin", "raw": "[bytes]", "set": [1],
        "text": "ab?", "id": str(UUID(int=1)), "5": "five",
    }  # fmt: skip
    assert len(event.target) == 200


def _anonymous(request: Any) -> Any:
    from django.contrib.auth.models import AnonymousUser

    request.user = AnonymousUser()
    return request
