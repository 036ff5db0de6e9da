"""What came of leads in a period: counted once, in UTC, for one organisation."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leadagent.leads.models import EmailDraft, Lead, WorkflowRun
from leadagent.leads.outcomes.counting import count_outcomes
from leadagent.tenants.models import Membership, Organization
from tests.factories import OrganizationFactory
from tests.leads.factories import LeadFactory

pytestmark = pytest.mark.django_db

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))


def run(lead: Lead, begun: datetime, *, category: str = "", sent: datetime | None = None) -> None:
    made = WorkflowRun.objects.create(
        organization=lead.organization, lead=lead, status="done", category=category, created_at=begun, finished_at=sent
    )
    if sent:
        EmailDraft.objects.create(
            run=made, subject="x", body="x", status="sent", sent_at=sent, message_id=f"<{made.pk}@test>"
        )


def counts(organization: Organization) -> list[tuple[str, int]]:
    return [(outcome.one, outcome.count) for outcome in count_outcomes(organization, *NOVEMBER)]


def test_each_is_counted_once_and_where_it_belongs(member: Membership) -> None:
    mine = member.organization
    first, last = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    december = datetime(2026, 12, 1, tzinfo=UTC)
    twice = LeadFactory(organization=mine)
    run(twice, first, category="QUALIFIED", sent=last)
    run(twice, last, category="QUALIFIED", sent=december)
    run(LeadFactory(organization=mine), last, category="QUALIFIED")
    run(LeadFactory(organization=mine), last, category="SUPPORT", sent=last)
    run(LeadFactory(organization=mine), december, category="QUALIFIED", sent=december)
    run(LeadFactory(organization=OrganizationFactory()), first, category="QUALIFIED", sent=first)
    WorkflowRun.objects.create(
        organization=mine, lead=LeadFactory(organization=mine), status="cancelled", created_at=first, finished_at=first
    )
    with CaptureQueriesContext(connection) as asked:
        assert counts(mine) == [("qualified lead", 2), ("email sent", 2)]
    assert len(asked) == 2
