"""The list of leads: search, filters, order, pages, and what each role may do from it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leadagent.leads.inbox.assignment import assign_lead
from leadagent.leads.inbox.lead_filter import ORDERS, LeadFilter, Sort, leads_of
from leadagent.leads.inbox.lead_pages import PAGE as PAGE_SIZE
from leadagent.leads.inbox.lead_pages import count_up_to
from leadagent.leads.inbox.notes import add_note
from leadagent.leads.models import Category, Lead, LeadStatus, WorkflowRun
from leadagent.tenants.models import Membership, Organization
from tests.factories import MembershipFactory
from tests.leads.factories import LeadFactory, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def test_the_list_shows_this_organisations_leads_newest_first(viewer: Membership, signed_in: SignIn) -> None:
    now = timezone.now()
    LeadFactory(organization=viewer.organization, name="Older", created_at=now - timedelta(days=1))
    LeadFactory(organization=viewer.organization, name="Newer", created_at=now)
    LeadFactory(name="Foreign")

    page = signed_in(viewer).get("/o/acme/leads/").content.decode()

    assert page.index("Newer") < page.index("Older")
    assert "Foreign" not in page


def test_the_list_shows_status_and_verdict(viewer: Membership, signed_in: SignIn) -> None:
    run_for(LeadFactory(organization=viewer.organization), done=3)

    page = signed_in(viewer).get("/o/acme/leads/").content.decode()

    assert "Waiting for approval" in page
    assert "Qualified" in page


def test_load_more_continues_without_gap_or_repetition(viewer: Membership, signed_in: SignIn) -> None:
    same_moment = timezone.now()
    for n in range(PAGE_SIZE + 5):
        LeadFactory(organization=viewer.organization, name=f"Lead-{n:02}", created_at=same_moment)
    client = signed_in(viewer)

    first = client.get("/o/acme/leads/").content.decode()
    more = re.search(r'hx-get="(\?[^"]+)"', first)
    assert more
    second = client.get(f"/o/acme/leads/{more[1].replace('&amp;', '&')}", HTTP_HX_REQUEST="true").content.decode()

    names = re.findall(r"Lead-\d\d", first) + re.findall(r"Lead-\d\d", second)
    assert sorted(names) == [f"Lead-{n:02}" for n in range(PAGE_SIZE + 5)]
    assert "<html" not in second
    assert "hx-get" not in second


def test_the_list_filters_by_status_also_below_the_fold(viewer: Membership, signed_in: SignIn) -> None:
    for n in range(PAGE_SIZE + 1):
        LeadFactory(organization=viewer.organization, name=f"Closed-{n}", status=LeadStatus.CLOSED)
    LeadFactory(organization=viewer.organization, name="Fresh")

    page = signed_in(viewer).get("/o/acme/leads/?status=closed").content.decode()

    assert "Fresh" not in page
    assert "status=closed&amp;after=" in page


def test_a_status_that_no_lead_has_is_no_dead_end(viewer: Membership, signed_in: SignIn) -> None:
    LeadFactory(organization=viewer.organization)

    page = signed_in(viewer).get("/o/acme/leads/?status=attention").content.decode()

    assert "No lead fits these filters" in page
    assert "Show all leads" in page


@pytest.mark.parametrize("status", list(LeadStatus))
@pytest.mark.parametrize("category", list(Category))
def test_every_status_and_verdict_can_be_shown(
    viewer: Membership, signed_in: SignIn, status: LeadStatus, category: Category
) -> None:
    run = run_for(LeadFactory(organization=viewer.organization), done=2)
    WorkflowRun.objects.filter(pk=run.pk).update(category=category)
    Lead.objects.filter(pk=run.lead_id).update(status=status, category=category)

    for where in ("/o/acme/leads/", f"/o/acme/leads/{run.lead_id}/"):
        page = signed_in(viewer).get(where).content.decode()
        assert status.label in page
        assert category.label in page


@pytest.mark.parametrize("cursor", ["nonsense", "2026-01-01_x", "newest_2026-01-01T00:00:00_" + "0" * 32, "__"])
def test_a_made_up_cursor_shows_the_beginning(viewer: Membership, signed_in: SignIn, cursor: str) -> None:
    LeadFactory(organization=viewer.organization, name="First")

    response = signed_in(viewer).get("/o/acme/leads/", {"after": cursor})

    assert response.status_code == 200
    assert "First" in response.content.decode()


def test_the_list_costs_the_same_at_any_length(viewer: Membership, signed_in: SignIn) -> None:
    client = signed_in(viewer)
    counts = []
    for _ in range(2):
        run_for(LeadFactory(organization=viewer.organization), done=2)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/o/acme/leads/")
        counts.append(len(queries))
        LeadFactory(organization=viewer.organization)

    assert Lead.objects.count() == 4
    assert counts[0] == counts[1]


def test_an_empty_list_says_how_leads_come_in(member: Membership, viewer: Membership, signed_in: SignIn) -> None:
    assert "/in/acme/" in signed_in(member).get("/o/acme/leads/").content.decode()
    assert "/leads/new/" in signed_in(member).get("/o/acme/leads/").content.decode()
    assert "/leads/new/" not in signed_in(viewer).get("/o/acme/leads/").content.decode()


def test_what_people_and_runs_do_counts_as_activity(member: Membership) -> None:
    def touched(act: Callable[[Lead], object]) -> bool:
        past = timezone.now() - timedelta(days=3)
        lead = LeadFactory(organization=member.organization, last_activity_at=past)
        act(lead)
        lead.refresh_from_db()
        return lead.last_activity_at > past

    assert touched(lambda lead: add_note(lead, "Called", by=member.user))
    assert touched(lambda lead: assign_lead(lead, member.user, by=None))
    assert touched(lambda lead: run_for(lead, done=2))


def test_what_waits_for_a_person_is_counted_no_further_than_needed(organization: Organization) -> None:
    for _ in range(4):
        LeadFactory(organization=organization, status=LeadStatus.REVIEW)
    with CaptureQueriesContext(connection) as queries:
        assert count_up_to(organization, LeadFilter(status="review"), most=3) == 3
    assert "LIMIT 3" in queries.captured_queries[0]["sql"]


def test_three_hundred_leads_cost_the_queries_of_three(
    viewer: Membership, member: Membership, signed_in: SignIn
) -> None:
    client = signed_in(viewer)

    def queries(address: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    addresses = ("/o/acme/leads/", "/o/acme/leads/?q=gears&assigned=nobody", "/o/acme/leads/?sort=activity&days=30")
    for _ in range(3):
        LeadFactory(organization=viewer.organization, assigned_to=member.user)
    few = [len(queries(address)) for address in addresses]
    Lead.objects.bulk_create(
        Lead(organization=viewer.organization, name="Gears", email="x@gears.test", message="x", source="form")
        for _ in range(297)
    )
    many = [queries(address) for address in addresses]

    assert [len(each) for each in many] == few
    assert not any("OFFSET" in sql for each in many for sql in each)
    counts = [sql for each in many for sql in each if "COUNT(" in sql and "leads_lead" in sql]
    assert all("LIMIT 100" in sql for sql in counts)


@pytest.mark.parametrize(
    ("values", "index"),
    [
        ({}, "lead_newest_first"),
        ({"sort": "oldest"}, "lead_newest_first"),
        ({"sort": "activity"}, "lead_by_activity"),
        ({"status": "attention"}, "lead_by_status"),
        ({"category": "SUPPORT"}, "lead_by_category"),
        ({"assigned": "me"}, "lead_by_assignee"),
        ({"source": "api"}, "lead_by_source"),
        ({"q": "rareword"}, "lead_search"),
        ({"q": "rärewörd"}, "lead_search"),
    ],
)
def test_the_database_uses_the_index_that_is_there_for_it(
    member: Membership, values: dict[str, str], index: str
) -> None:
    organization = member.organization
    other = MembershipFactory().organization
    now = timezone.now()

    def rows(count: int, **fields: object) -> None:
        Lead.objects.bulk_create(
            Lead(
                organization=organization if number % 4 else other,
                name=f"Ann {number}",
                email=f"ann{number}@gears.test",
                created_at=now - timedelta(minutes=number),
                **{
                    "source": "form",
                    "status": "closed",
                    "category": "QUALIFIED",
                    "message": "We need licences.",
                }
                | fields,
            )
            for number in range(count)
        )

    rows(4000)
    rows(40, source="api")
    rows(40, status="attention")
    rows(40, category="SUPPORT")
    # Enough of them for their order to matter: a few are sorted by hand.
    rows(800, assigned_to=member.user)
    rows(4, message="A rareword.")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE leads_lead")
    leads = leads_of(organization, LeadFilter.from_values(values), me=member.user)
    plan = leads.defer("search").order_by(*ORDERS[Sort(values.get("sort", "newest"))])[:26].explain()

    assert index in plan, plan
    assert "Seq Scan on leads_lead" not in plan, plan
