"""Support staff reads leads and runs, changes nothing, and leaves a trace."""

import pytest
from django.test import Client

from leadagent.tenants.models import AuditEvent
from tests.factories import UserFactory
from tests.leads.factories import DocumentFactory, draft_under_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def support() -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    return client


@pytest.mark.parametrize("kind", ["lead", "workflowrun", "emaildraft", "document"])
def test_support_reads_and_changes_nothing(support: Client, kind: str) -> None:
    draft = draft_under_review()
    row = {
        "lead": draft.run.lead,
        "workflowrun": draft.run,
        "emaildraft": draft,
        "document": DocumentFactory(organization=draft.run.organization),
    }[kind]
    where = f"/admin/leads/{kind}/"

    assert support.get(where).status_code == 200
    assert support.get(f"{where}{row.pk}/change/").status_code == 200
    assert support.get(f"{where}add/").status_code == 403
    assert support.post(f"{where}{row.pk}/change/", {}).status_code == 403
    assert support.post(f"{where}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    event = AuditEvent.objects.get(action="support.viewed")
    assert event.organization == draft.run.organization


def test_the_filter_by_error_code_names_every_link(support: Client) -> None:
    run = draft_under_review().run
    page = support.get("/admin/leads/workflowrun/").content.decode()
    assert "By error code" not in page, "no run has one"
    run.error_code = "rate_limited"
    run.save(update_fields=["error_code"])
    page = support.get("/admin/leads/workflowrun/").content.decode()
    assert '<a href="?error_code=rate_limited">rate_limited</a>' in page
    assert 'href="?error_code="' not in page
    found = support.get("/admin/leads/workflowrun/", {"error_code": "rate_limited"}).content.decode()
    assert "1 workflow run" in found
    assert "0 workflow runs" in support.get("/admin/leads/workflowrun/", {"error_code": "none"}).content.decode()


def test_pages_of_the_admin_have_the_products_icon_and_plain_names(support: Client) -> None:
    page = support.get("/admin/").content.decode()
    assert '<link rel="icon" href="/static/img/mark' in page
    for words in ("Usage inbox", "Sent alerts", "API tokens", "Organisations"):
        assert f">{words}</a>" in page, words
