"""What an email says that nobody told is marked on the page."""

from collections.abc import Callable

import pytest
from django.test import Client

from leadagent.leads.emails.deciding import (
    edit_draft,
)
from leadagent.leads.emails.panel import doubts_about
from leadagent.leads.models import Step, WorkflowRun
from leadagent.tenants.models import Membership, Organization
from tests.factories import UserFactory
from tests.leads.draft_pages import page_of
from tests.leads.factories import DocumentFactory, draft_under_review

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def test_what_nobody_told_is_marked(organization: Organization, member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=organization, message="We need 400 licences.")
    edit_draft(draft, subject="Gears", body="400 licences cost $9 each with 20% off.", by=UserFactory(), version=1)
    page = page_of(signed_in(member), draft)
    assert "Not found in the report: 2" in page
    assert page.count("<mark>") + page.count('<mark title="Not found in the report') == 4
    assert ">$9</mark>" in page
    assert ">20%</mark>" in page
    assert ">400</mark>" not in page


def test_passages_of_the_knowledge_base_count_as_told() -> None:
    draft = draft_under_review()
    draft = edit_draft(draft, subject="Gears", body="It costs $12 and $13.", by=UserFactory(), version=1)
    run = WorkflowRun.objects.select_related("lead", "organization").get(pk=draft.run_id)
    found = doubts_about(draft, run)
    assert found is not None
    assert [part.text for part in found.said] == ["$12", "$13"]
    own, foreign = DocumentFactory(organization=run.organization), DocumentFactory()
    for document, text in ((own, "It costs 12 dollars."), (foreign, "It costs 13 dollars.")):
        document.chunks.create(organization=document.organization, position=0, text=text)
    step = Step.objects.get(run=run, name="research")
    step.result = {**(step.result or {}), "sources": [
        {"kind": "knowledge", "ref": str(own.pk)}, {"kind": "knowledge", "ref": str(foreign.pk)},
        {"kind": "knowledge", "ref": "x"}, {"kind": "page"},
    ]}  # fmt: skip
    step.save()
    found = doubts_about(draft, run)
    assert found is not None
    assert [part.text for part in found.said] == ["$13"]
