"""The audit log holds who, what and where from, and no secret."""

from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from leadagent.tenants import audit
from leadagent.tenants.models import ApiToken, Membership, Organization

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
    admin.user.delete()
    event.refresh_from_db()
    assert (event.actor, event.actor_label) == (None, "admin@acme.test")


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


def _anonymous(request: Any) -> Any:
    from django.contrib.auth.models import AnonymousUser

    request.user = AnonymousUser()
    return request
