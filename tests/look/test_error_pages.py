"""What a person sees when something is wrong: the plain layout, a sentence, and a way on."""

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.test import Client, RequestFactory
from django.views.defaults import bad_request, permission_denied, server_error
from playwright.sync_api import expect
from pytest_django import DjangoAssertNumQueries, Settings

from leadagent.tenants.models import Membership, Role
from tests.factories import MembershipFactory
from tests.look.conftest import Variant, Visit


def test_the_pages_that_know_nothing_of_the_request(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries, db: None
) -> None:
    """400 and 500 are drawn without context processors, session or database."""
    answers: list[tuple[Callable[[HttpRequest], HttpResponse], int, bytes]] = [
        (lambda request: bad_request(request, SuspiciousOperation()), 400, b"did not understand this request"),
        (server_error, 500, b"The server made a mistake"),
    ]
    with django_assert_num_queries(0):
        for view, status, words in answers:
            response = view(rf.get("/"))
            assert response.status_code == status
            assert words in response.content
            assert b'href="/"' in response.content
            assert b"<title> " not in response.content


def test_a_refusal_says_why_and_leads_back(client: Client, db: None) -> None:
    viewer = MembershipFactory(organization__name="Acme", organization__slug="acme", role=Role.VIEWER)
    client.force_login(viewer.user)
    response = client.get("/o/acme/settings/members/")
    assert response.status_code == 403
    page = response.content.decode()
    assert "This needs the role admin in Acme." in page
    assert 'href="/o/acme/leads/"' in page


def test_a_refusal_without_an_organisation(rf: RequestFactory) -> None:
    response = permission_denied(rf.get("/"), PermissionDenied())
    assert b"Your role does not include it (403)." in response.content


def test_an_expired_form(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a@b.test", "password": "x"})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


def test_too_many_tries() -> None:
    assert "Too many tries" in get_template("429.html").render()


@pytest.mark.network_loopback
def test_in_the_browser(as_admin: Visit, variant: Variant, settings: Settings, admin: Membership) -> None:
    settings.ROOT_URLCONF = "tests.look.urls"
    for path, status, heading in (
        ("/o/no-such-organisation/settings/members/", 404, "There is no such page"),
        ("/look-broken/", 500, "The server made a mistake"),
        ("/o/globex/settings/members/", 403, "You may not open this page"),
    ):
        page = as_admin.open(path)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        # The browser itself notes every such answer.
        assert [line for line in as_admin.console if str(status) not in line] == []
        as_admin.console.clear()
        as_admin.hold_to_the_rules(f"error-{status}-{variant}")
        page.get_by_role("main").get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text(heading)
        as_admin.console.clear()
