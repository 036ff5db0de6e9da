"""One act on many ticked leads: asked first, limited, and each lead for itself."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client

from leadagent.leads.inbox.assignment import assign_lead
from leadagent.leads.models import DraftStatus, Lead, LeadStatus
from leadagent.leads.views.bulk import LIMIT
from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import LeadFactory, draft_under_review

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]

TICKED = "/o/acme/leads/ticked/"


@pytest.fixture
def leads(organization: Organization) -> list[Lead]:
    return [LeadFactory(organization=organization) for _ in range(3)]


def post(client: Client, leads: Iterable[Lead], act: str, *, confirmed: bool = True, **more: str) -> int:
    form = {"lead": [str(lead.pk) for lead in leads], "act": act, **more} | ({"confirmed": "1"} if confirmed else {})
    return client.post(TICKED, form).status_code


def test_nothing_is_done_before_it_is_confirmed(member: Membership, signed_in: SignIn, leads: list[Lead]) -> None:
    client = signed_in(member)
    for act in ("assign", "run", "close"):
        form = {"lead": [str(lead.pk) for lead in leads], "act": act, "to": "me", "back": "status=new"}
        page = client.post(TICKED, form).content.decode()
        assert "3 leads" in page
        assert all(lead.name in page for lead in leads)
        assert 'href="/o/acme/leads/?status=new"' in page
    for lead in leads:
        lead.refresh_from_db()
        assert (lead.status, lead.assigned_to, lead.runs.count()) == (LeadStatus.NEW, None, 0)


def test_assign_start_and_close(
    member: Membership, admin: Membership, signed_in: SignIn, leads: list[Lead], nudges: Nudges
) -> None:
    client = signed_in(member)

    assert post(client, leads, "assign", to=str(admin.user.pk)) == 302
    assert {lead.assigned_to for lead in member.organization.leads.all()} == {admin.user}
    with_run = leads[:2]
    assert post(client, with_run, "run") == 302
    assert [lead.runs.count() for lead in leads] == [1, 1, 0]
    assert post(client, leads, "close") == 302
    statuses = {lead.pk: Lead.objects.get(pk=lead.pk).status for lead in leads}
    assert [statuses[lead.pk] for lead in leads] == ["working", "working", "closed"], "a run is under way"


def test_a_draft_that_waits_is_never_thrown_away_by_starting_many(member: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=member.organization)

    post(signed_in(member), [draft.run.lead], "run")

    draft.refresh_from_db()
    assert draft.status == DraftStatus.DRAFT
    assert draft.run.lead.runs.count() == 1


def test_a_viewer_does_nothing(viewer: Membership, signed_in: SignIn, leads: list[Lead]) -> None:
    assert post(signed_in(viewer), leads, "close") == 403
    assert "data-bulk" not in signed_in(viewer).get("/o/acme/leads/").content.decode()
    assert not Lead.objects.filter(status=LeadStatus.CLOSED).exists()


def test_a_foreign_lead_among_them_stops_all(member: Membership, signed_in: SignIn, leads: list[Lead]) -> None:
    client = signed_in(member)
    for confirmed in (False, True):
        assert post(client, [*leads, LeadFactory()], "close", confirmed=confirmed) == 404
    assert not Lead.objects.filter(status=LeadStatus.CLOSED).exists()


@pytest.mark.parametrize("form", [{"lead": "x", "act": "close"}, {"act": "evil"}])
def test_nonsense_is_not_found(member: Membership, signed_in: SignIn, leads: list[Lead], form: dict[str, str]) -> None:
    assert signed_in(member).post(TICKED, {"lead": str(leads[0].pk)} | form).status_code == 404


def test_too_many_none_and_strangers_are_told(member: Membership, signed_in: SignIn, leads: list[Lead]) -> None:
    client = signed_in(member)
    Lead.objects.bulk_create(
        Lead(organization=member.organization, name="x", email="x@x.test", message="x", source="form")
        for _ in range(LIMIT)
    )

    assert post(client, member.organization.leads.all(), "close") == 302
    assert post(client, [], "close") == 302
    assert post(client, leads, "assign", to="999999") == 302
    assert not Lead.objects.filter(status=LeadStatus.CLOSED).exists()
    page = client.get("/o/acme/leads/").content.decode()
    assert f"at most {LIMIT}" in page
    assert "Tick the leads first" in page
    assert "cannot be given leads" in page


def test_the_way_back_leads_nowhere_else(member: Membership, signed_in: SignIn, leads: list[Lead]) -> None:
    back = "q=gears&next=https://evil.test&status=new&//evil.test"
    answer = signed_in(member).post(TICKED, {"lead": str(leads[0].pk), "act": "close", "confirmed": "1", "back": back})
    assert answer.headers["Location"] == "/o/acme/leads/?q=gears&status=new"


def test_a_person_who_leaves_in_between_gets_no_lead(
    member: Membership, signed_in: SignIn, leads: list[Lead], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaver = MembershipFactory(organization=member.organization, role=Role.MEMBER)

    def too_late(*args: Any, **kwargs: Any) -> bool:
        Membership.objects.filter(pk=leaver.pk).delete()
        return assign_lead(*args, **kwargs)

    monkeypatch.setattr("leadagent.leads.views.bulk.assign_lead", too_late)
    form = {"lead": str(leads[0].pk), "act": "assign", "to": str(leaver.user_id), "confirmed": "1"}

    page = signed_in(member).post(TICKED, form, follow=True).content.decode()

    assert "1 lead stayed as they were" in page
    assert Lead.objects.get(pk=leads[0].pk).assigned_to is None
