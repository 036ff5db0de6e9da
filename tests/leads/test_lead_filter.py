"""Filters and orders of the list of leads, and pages that join in each."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from leadagent.keyset import BadCursor
from leadagent.leads.inbox.assignment import assign_lead
from leadagent.leads.inbox.lead_filter import LeadFilter, leads_of
from leadagent.leads.inbox.lead_pages import lead_page
from leadagent.leads.models import Category, LeadSource, LeadStatus
from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.leads.factories import LeadFactory

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]


def test_each_filter_shows_its_own(viewer: Membership, member: Membership) -> None:
    organization = viewer.organization
    now = timezone.now()
    rows = {
        "status": LeadFactory(organization=organization, status=LeadStatus.ATTENTION),
        "category": LeadFactory(organization=organization, category=Category.SUPPORT),
        "source": LeadFactory(organization=organization, source=LeadSource.API),
        "mine": LeadFactory(organization=organization),
    }
    old = LeadFactory(organization=organization, created_at=now - timedelta(days=10), category=Category.QUALIFIED)
    assign_lead(rows["mine"], member.user, by=None)
    for foreign in ({"status": "attention"}, {"category": "SUPPORT"}, {"source": "api"}):
        LeadFactory(**foreign)

    def shown(**values: str) -> set[object]:
        leads = lead_page(organization, LeadFilter.from_values(values), me=member.user).leads
        return {lead.pk for lead in leads}

    everything = {lead.pk for lead in rows.values()}
    assert shown(status="attention") == {rows["status"].pk}
    assert shown(category="SUPPORT") == {rows["category"].pk}
    assert shown(category="none") == everything - {rows["category"].pk}
    assert shown(source="api") == {rows["source"].pk}
    assert shown(assigned="me") == shown(assigned=str(member.user.pk)) == {rows["mine"].pk}
    assert shown(assigned="nobody") == (everything | {old.pk}) - {rows["mine"].pk}
    assert shown(days="7") == everything
    assert shown(days="30") == everything | {old.pk}
    assert shown(status="attention", source="api") == set()


@pytest.mark.parametrize(
    "values",
    [
        {"status": "evil"}, {"category": "x"}, {"assigned": "everybody"}, {"assigned": "-1"}, {"assigned": "0"},
        {"assigned": "9" * 40}, {"source": "x"}, {"days": "2"}, {"days": "x"}, {"sort": "random"}, {"q": "\x00"},
    ],
)  # fmt: skip
def test_what_is_no_value_of_ours_is_left_out(values: dict[str, str]) -> None:
    assert LeadFilter.from_values(values) == LeadFilter()


def test_a_person_of_elsewhere_has_no_leads_here(organization: Organization) -> None:
    foreign = MembershipFactory(role=Role.MEMBER)
    assign_lead(LeadFactory(organization=foreign.organization), foreign.user, by=None)
    assert not leads_of(organization, LeadFilter(assigned=str(foreign.user.pk)), me=None).exists()
    assert not leads_of(organization, LeadFilter(assigned="9" * 18), me=None).exists()


def test_an_address_carries_everything_and_chips_keep_the_rest(viewer: Membership, signed_in: SignIn) -> None:
    LeadFactory(organization=viewer.organization, status=LeadStatus.CLOSED, company="Gears")

    page = signed_in(viewer).get("/o/acme/leads/?q=gears&status=closed&days=7&sort=activity").content.decode()

    addresses = [QueryDict(link.replace("&amp;", "&")) for link in re.findall(r'href="\?([^"]*)"', page)]
    others = [address for address in addresses if address.get("status") == "new"]
    assert [dict(address.items()) for address in others] == [
        {"q": "gears", "status": "new", "days": "7", "sort": "activity"}
    ]
    assert "Last activity" in page


@pytest.mark.parametrize("sort", ["newest", "oldest", "activity"])
def test_pages_join_without_gap_in_every_order(organization: Organization, sort: str) -> None:
    now = timezone.now()
    for number in range(7):
        moment = now - timedelta(hours=number // 3)
        LeadFactory(organization=organization, created_at=moment, last_activity_at=now - timedelta(days=number % 4))
    wanted = LeadFilter(sort=sort)
    everything = [lead.pk for lead in lead_page(organization, wanted).leads]

    seen: list[object] = []
    cursor = ""
    while True:
        page = lead_page(organization, wanted, cursor=cursor, limit=2)
        seen += [lead.pk for lead in page.leads]
        cursor = page.next_cursor
        if not cursor:
            break

    assert len(everything) == 7
    assert seen == everything
    if sort == "oldest":
        assert everything == [lead.pk for lead in lead_page(organization, LeadFilter()).leads][::-1]


def test_a_cursor_is_good_for_its_own_order_only(organization: Organization) -> None:
    for _ in range(3):
        LeadFactory(organization=organization)
    cursor = lead_page(organization, LeadFilter(), limit=1).next_cursor

    with pytest.raises(BadCursor):
        lead_page(organization, LeadFilter(sort="activity"), cursor=cursor)
