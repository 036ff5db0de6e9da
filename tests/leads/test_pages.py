"""The list of leads and the page of one lead, for each role."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

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


# --- One lead -----------------------------------------------------------------------


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


# --- Acts on a run ------------------------------------------------------------------


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


# --- Acts on a draft ----------------------------------------------------------------


@pytest.fixture
def draft(member: Membership) -> EmailDraft:
    return draft_under_review(organization=member.organization)


def test_an_edit_is_saved(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    response = signed_in(member).post(
        f"/o/acme/drafts/{draft.pk}/save/", {"subject": "New", "body": "New text", "version": 1}
    )

    assert response.headers["Location"] == f"/o/acme/leads/{draft.run.lead_id}/"
    draft.refresh_from_db()
    assert (draft.subject, draft.body, draft.edited_by, draft.status) == ("New", "New text", member.user, "draft")


def test_approving_has_it_sent(
    member: Membership,
    signed_in: SignIn,
    draft: EmailDraft,
    nudges: object,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client = signed_in(member)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "New", "body": "New text", "version": 1})

    draft.refresh_from_db()
    assert (draft.status, draft.body, draft.approved_by) == ("sending", "New text", member.user)
    assert nudges.names == ["send_email"]  # type: ignore[attr-defined]
    page = page_of(client, draft.run.lead)
    assert "Being sent" in page
    assert "every 1s" in page


def test_discarding_sends_nothing(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    page = signed_in(member).post(f"/o/acme/drafts/{draft.pk}/discard/", {"version": 1}, follow=True).content.decode()

    assert "Nothing was sent" in page
    draft.refresh_from_db()
    assert draft.status == "discarded"


@pytest.mark.parametrize("act", ["save", "approve"])
def test_a_conflict_shows_both_texts_and_loses_neither(
    member: Membership, signed_in: SignIn, draft: EmailDraft, act: str
) -> None:
    other = MembershipFactory(organization=member.organization, user__email="olga@acme.test")
    signed_in(other).post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "Olga's text", "version": 1})
    client = signed_in(member)

    response = client.post(f"/o/acme/drafts/{draft.pk}/{act}/", {"subject": "S", "body": "My own text", "version": 1})

    page = response.content.decode()
    assert response.status_code == 409
    assert "olga saved another text" in page
    assert "Olga&#x27;s text" in page
    assert re.search(r"<textarea[^>]*>\s*My own text", page)
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    assert version[1] == "2"
    draft.refresh_from_db()
    assert (draft.body, draft.status) == ("Olga's text", "draft")

    saved = client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "My own text", "version": 2})
    assert saved.status_code == 302
    draft.refresh_from_db()
    assert draft.body == "My own text"


def test_an_edit_after_the_decision_is_shown_back(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "S", "body": "Approved text", "version": 1})

    response = client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "My late text", "version": 1})

    page = response.content.decode()
    assert response.status_code == 409
    assert "has decided on this email already" in page
    assert "My late text" in page
    assert "Approved text" in page


def test_discarding_what_one_has_not_seen_is_refused(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/drafts/{draft.pk}/save/", {"subject": "S", "body": "Newer text", "version": 1})

    response = client.post(f"/o/acme/drafts/{draft.pk}/discard/", {"version": 1})

    assert response.status_code == 409
    assert "Newer text" in response.content.decode()
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_an_empty_reply_is_not_saved(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    response = signed_in(member).post(
        f"/o/acme/drafts/{draft.pk}/approve/", {"subject": "", "body": "Still here", "version": 1}
    )

    assert response.status_code == 422
    assert "Still here" in response.content.decode()
    draft.refresh_from_db()
    assert (draft.status, draft.version) == ("draft", 1)


def test_the_newest_run_is_the_one_on_the_page(member: Membership, signed_in: SignIn, draft: EmailDraft) -> None:
    client = signed_in(member)
    client.post(f"/o/acme/leads/{draft.run.lead_id}/run/")

    page = page_of(client, draft.run.lead)

    assert "shall we talk?" not in page
    newest = draft.run.lead.runs.order_by("-created_at").first()
    assert newest is not None
    assert newest.steps.get(name=StepName.RESEARCH).status == "pending"
    assert f"/o/acme/runs/{newest.pk}/cancel/" in page
