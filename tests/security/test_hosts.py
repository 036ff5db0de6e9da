"""A forged Host header leads nowhere: not to an answer, and not into a link that is mailed."""

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from leadagent.tenants.models import Membership

pytestmark = pytest.mark.django_db

HOSTILE = ("evil.test", "testserver.evil.test", "testserver:80@evil.test", "evil.test#testserver", "", "testserver\t")


@pytest.mark.parametrize("host", HOSTILE)
@pytest.mark.parametrize("where", ["/", "/accounts/login/", "/accounts/password/reset/", "/api/ai-config", "/healthz"])
def test_other_hosts_are_not_answered(host: str, where: str, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = Client().get(where, headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.content.decode()


def test_a_forwarded_host_is_not_believed(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"):
        page = client.get("/accounts/login/", headers={name: "evil.test"})
        assert page.status_code == 200
        assert "evil.test" not in page.content.decode()
        assert "evil.test" not in str(page.headers)


def test_the_reset_link_leads_to_our_own_address(client: Client, admin: Membership, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    for forged in ({}, {"X-Forwarded-Host": "evil.test"}):
        client.post(reverse("account_reset_password"), {"email": admin.user.email}, headers=forged)
    assert len(mail.outbox) >= 1
    for message in mail.outbox:
        assert "evil.test" not in str(message.body)
        assert "http://testserver/" in str(message.body) or settings.PUBLIC_URL in str(message.body)


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_sign_in_leads_on_to_our_own_pages_only(client: Client, admin: Membership, target: str) -> None:
    from tests.factories import PASSWORD

    answer = client.post(reverse("account_login"), {"login": admin.user.email, "password": PASSWORD, "next": target})
    assert "evil.test" not in answer.headers.get("Location", "")
    assert "javascript" not in answer.headers.get("Location", "")
