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
