"""The list of leads and the page of one lead, for each role."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leadagent.leads.models import EmailDraft, Lead, RunStatus, StepName, WorkflowRun
from leadagent.leads.running.leases import fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.tenants.models import Membership, Organization, Role
from tests.factories import MembershipFactory
from tests.leads.factories import LeadFactory, claimed, draft_under_review, run_for

pytestmark = pytest.mark.django_db

SignIn = Callable[[Membership], Client]

NO_KEY = StepFailure("invalid_key", "OpenAI refused the key.", permanent=True, needs_admin=True)


def page_of(client: Client, lead: Lead) -> str:
    return client.get(f"/o/acme/leads/{lead.pk}/").content.decode()


@pytest.fixture
def draft(member: Membership) -> EmailDraft:
    return draft_under_review(organization=member.organization)


@pytest.mark.parametrize("role", list(Role))
def test_everyone_reads_and_members_act(organization: Organization, signed_in: SignIn, role: Role) -> None:
    draft = draft_under_review(organization=organization)
    page = page_of(signed_in(MembershipFactory(organization=organization, role=role)), draft.run.lead)

    assert "They make gears" in page
    assert "They want to buy." in page
    assert "shall we talk?" in page
    main = page[page.index('id="main"') :]
    acts = re.findall(r'(?:form)?action="([^"]+)"', main)
    assert bool(acts) is role.allows(Role.MEMBER)
    assert ("<textarea" in main) is role.allows(Role.MEMBER)


def test_a_running_page_asks_again_and_a_settled_one_does_not(viewer: Membership, signed_in: SignIn) -> None:
    lead = LeadFactory(organization=viewer.organization)
    client = signed_in(viewer)
    assert "every 1s" not in page_of(client, lead)

    run_for(lead, done=1)
    assert "every 1s" in page_of(client, lead)

    run = lead.runs.get()
    fail_step(claimed(run), NO_KEY)
    assert "every 1s" not in page_of(client, lead)


def test_asking_again_answers_only_what_is_new(viewer: Membership, signed_in: SignIn) -> None:
    lead = LeadFactory(organization=viewer.organization)
    run = run_for(lead)
    client = signed_in(viewer)
    again = re.search(r'hx-get="([^"]+)"', page_of(client, lead))
    assert again

    assert client.get(again[1], HTTP_HX_REQUEST="true").status_code == 204

    claimed(run)
    moved = client.get(again[1], HTTP_HX_REQUEST="true")
    assert moved.status_code == 200
    fragment = moved.content.decode()
    assert fragment.lstrip().startswith('<div id="lead-state"')
    assert "Running" in fragment
    assert "<html" not in fragment


def test_without_scripts_the_same_address_is_the_whole_page(viewer: Membership, signed_in: SignIn) -> None:
    lead = LeadFactory(organization=viewer.organization)
    run_for(lead)
    page = page_of(signed_in(viewer), lead)

    again = re.search(r'hx-get="([^"]+)"', page)
    assert again
    assert "<html" in signed_in(viewer).get(again[1]).content.decode()
    assert ">Refresh</a>" in page


def test_a_paused_run_says_why_and_only_admins_are_led_to_the_settings(
    admin: Membership, member: Membership, viewer: Membership, signed_in: SignIn
) -> None:
    run = run_for(LeadFactory(organization=admin.organization), done=1)
    fail_step(claimed(run), NO_KEY)

    for person in (admin, member, viewer):
        page = page_of(signed_in(person), run.lead)
        assert "OpenAI refused the key." in page
        assert ("Open the AI settings" in page) is (person is admin)
        assert (f"/o/acme/runs/{run.pk}/resume/" in page) is (person is not viewer)


@pytest.mark.parametrize(
    ("code", "offer", "leads_to"),
    [
        ("budget_exhausted", "Open alerts and budgets", "/o/acme/settings/alerts/"),
        (
            "quota_exhausted",
            "Add your own key for unlimited requests",
            "/o/acme/settings/ai/?provider=openrouter#update",
        ),
    ],
)
def test_what_is_used_up_comes_with_the_way_to_go_on(
    admin: Membership, member: Membership, signed_in: SignIn, code: str, offer: str, leads_to: str
) -> None:
    run = run_for(LeadFactory(organization=admin.organization), done=1)
    fail_step(claimed(run), StepFailure(code, "Used up for this month.", permanent=True, needs_admin=True))

    page = page_of(signed_in(admin), run.lead)
    assert (offer in page, f'href="{leads_to}"' in page) == (True, True)
    assert f"/o/acme/runs/{run.pk}/resume/" in page
    assert offer not in page_of(signed_in(member), run.lead)


def test_what_strangers_wrote_is_text(viewer: Membership, signed_in: SignIn) -> None:
    lead = LeadFactory(organization=viewer.organization, name="<b>Bold</b>", message="<script>alert(1)</script>")

    page = page_of(signed_in(viewer), lead)

    assert "<script>alert" not in page
    assert "<b>Bold" not in page


def test_a_lead_page_costs_the_same_with_more_runs(viewer: Membership, signed_in: SignIn) -> None:
    draft = draft_under_review(organization=viewer.organization)
    client = signed_in(viewer)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            page_of(client, draft.run.lead)
        counts.append(len(queries))
        run_for(draft.run.lead, done=3)

    assert counts[0] == counts[1]


def test_resume_run_again_and_cancel(member: Membership, signed_in: SignIn) -> None:
    client = signed_in(member)
    lead = LeadFactory(organization=member.organization)
    where = f"/o/acme/leads/{lead.pk}/"

    assert client.post(f"{where}run/").headers["Location"] == where
    run = lead.runs.get()
    assert run.created_by == member.user
    fail_step(claimed(run), NO_KEY)
    client.post(f"/o/acme/runs/{run.pk}/resume/")
    assert lead.runs.get().status == RunStatus.QUEUED
    client.post(f"/o/acme/runs/{run.pk}/cancel/")
    assert lead.runs.get().status == RunStatus.CANCELLED

    page = client.post(f"/o/acme/runs/{run.pk}/cancel/", follow=True).content.decode()
    assert "already ended" in page


def test_a_second_start_is_told_that_one_is_under_way(member: Membership, signed_in: SignIn) -> None:
    run = run_for(LeadFactory(organization=member.organization))

    page = signed_in(member).post(f"/o/acme/leads/{run.lead_id}/run/", follow=True).content.decode()

    assert "already under way" in page
    assert WorkflowRun.objects.count() == 1


def test_the_newest_run_is_the_one_on_the_page(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/leads/{draft.run.lead_id}/run/")

    page = page_of(client, draft.run.lead)

    assert "shall we talk?" not in page
    newest = draft.run.lead.runs.order_by("-created_at").first()
    assert newest is not None
    assert newest.steps.get(name=StepName.RESEARCH).status == "pending"
    assert f"/o/acme/runs/{newest.pk}/cancel/" in page
