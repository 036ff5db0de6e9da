"""What people do with leads, runs, emails and documents is in the audit log, once, with where it came from."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from byok.errors import AIError
from leadagent.leads.knowledge.indexing import index_document
from leadagent.leads.models import Document, EmailDraft, Lead, WorkflowRun
from leadagent.leads.running.leases import fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.tenants.audit_trail.actions import LABELS
from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Organization, Scope
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory, claimed, draft_under_review, run_for

pytestmark = pytest.mark.django_db
SignIn = Callable[[Membership], Client]
ADDRESS = "198.51.100.9"
LEAD = {"name": "Ann Gear", "email": "ann@gears.example", "message": "We need 400 licences."}
NO_KEY = StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True)


@pytest.fixture
def person(member: Membership, signed_in: SignIn) -> Client:
    """The member's, at a known address."""
    client = signed_in(member)
    client.defaults["REMOTE_ADDR"] = ADDRESS
    return client


def the_event(action: str) -> AuditEvent:
    """The one event of this kind: it has words for people and says where it came from."""
    assert action in LABELS
    event = AuditEvent.objects.get(action=action)
    assert event.ip_address == ADDRESS
    return event


def texts(draft: EmailDraft, **changed: str) -> dict[str, str]:
    return {"subject": draft.subject, "body": draft.body, "version": str(draft.version)} | changed


# --- Leads --------------------------------------------------------------------------


def test_a_lead_that_a_member_adds(person: Client, member: Membership) -> None:
    person.post("/o/acme/leads/new/", LEAD)

    lead = Lead.objects.get()
    event = the_event("lead.created")
    assert (event.organization, event.actor, event.target) == (member.organization, member.user, f"lead {lead.pk}")
    assert event.after == {"source": "page", "run": str(lead.runs.get().pk)}
    assert AuditEvent.objects.count() == 1, "its first run is part of it"


def test_a_lead_by_token_is_noted_once_however_often_it_is_handed_in(organization: Organization) -> None:
    token, text = ApiToken.issue(organization, name="Form", scopes=[Scope.LEADS_WRITE], created_by=None)
    headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": "order-1"}
    answers = [
        Client().post(
            "/api/leads", json.dumps(body), content_type="application/json", headers=headers, REMOTE_ADDR=ADDRESS
        )
        for body in (LEAD, LEAD, LEAD | {"message": "Another"})
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 409]
    event = the_event("lead.created")
    assert (event.organization, event.actor, event.actor_label) == (organization, None, f"API token {token}")
    assert event.after is not None
    assert event.after["source"] == "api"


def test_what_strangers_send_by_the_public_form_does_not_fill_the_log(organization: Organization) -> None:
    Client().post("/in/acme/", LEAD)

    assert Lead.objects.count() == 1
    assert not AuditEvent.objects.exists()


# --- Runs ---------------------------------------------------------------------------


def test_a_run_that_takes_another_ones_place(person: Client, member: Membership) -> None:
    old = draft_under_review(organization=member.organization).run
    for _ in range(2):
        person.post(f"/o/acme/leads/{old.lead_id}/run/")

    new = WorkflowRun.objects.exclude(pk=old.pk).get()
    started = AuditEvent.objects.filter(action="run.started", actor=member.user)
    assert [(event.target, event.ip_address, event.after) for event in started] == [
        (f"run {new.pk}", ADDRESS, {"lead": str(old.lead_id), "in_place_of": f"run {old.pk}"})
    ]


def test_a_run_that_goes_on(person: Client, member: Membership) -> None:
    run = run_for(LeadFactory(organization=member.organization))
    fail_step(claimed(run), NO_KEY)
    for _ in range(2):
        person.post(f"/o/acme/runs/{run.pk}/resume/")

    event = the_event("run.resumed")
    assert (event.organization, event.actor, event.target) == (member.organization, member.user, f"run {run.pk}")
    assert event.after == {"stopped_by": "invalid_key"}


def test_a_run_that_is_stopped(person: Client, member: Membership) -> None:
    run = run_for(LeadFactory(organization=member.organization))
    for _ in range(2):
        person.post(f"/o/acme/runs/{run.pk}/cancel/")

    event = the_event("run.cancelled")
    assert (event.organization, event.actor, event.target) == (member.organization, member.user, f"run {run.pk}")


# --- Emails -------------------------------------------------------------------------


def test_an_edit_names_the_fields_and_not_the_text(person: Client, member: Membership) -> None:
    draft = draft_under_review(organization=member.organization)
    edited = texts(draft, body="Dear Ann, a quite unusual sentence.")
    for _ in range(2):
        person.post(f"/o/acme/drafts/{draft.pk}/save/", edited)

    event = the_event("email.edited")
    assert (event.actor, event.target, event.after) == (member.user, f"email {draft.pk}", {"changed": ["body"]})
    assert "unusual" not in str(AuditEvent.objects.values_list())


def test_saving_what_is_there_already_is_no_edit(person: Client, member: Membership) -> None:
    draft = draft_under_review(organization=member.organization)
    person.post(f"/o/acme/drafts/{draft.pk}/save/", texts(draft))

    assert not AuditEvent.objects.filter(action="email.edited").exists()


@pytest.mark.parametrize(
    ("changed", "after"), [({}, None), ({"subject": "As seen"}, {"changed": ["subject"]})], ids=["as it was", "edited"]
)
def test_an_approval(
    person: Client, member: Membership, changed: dict[str, str], after: dict[str, list[str]] | None
) -> None:
    draft = draft_under_review(organization=member.organization)
    for _ in range(2):
        person.post(f"/o/acme/drafts/{draft.pk}/approve/", texts(draft, **changed))

    event = the_event("email.approved")
    assert (event.organization, event.actor, event.after) == (member.organization, member.user, after)
    assert not AuditEvent.objects.filter(action="email.edited").exists()


def test_a_discarded_email(person: Client, member: Membership) -> None:
    draft = draft_under_review(organization=member.organization)
    for _ in range(2):
        person.post(f"/o/acme/drafts/{draft.pk}/discard/", {"version": draft.version})

    event = the_event("email.discarded")
    assert (event.organization, event.actor, event.target) == (member.organization, member.user, f"email {draft.pk}")


# --- Documents ----------------------------------------------------------------------


def test_the_life_of_a_document(person: Client, member: Membership, provider: FakeProvider) -> None:
    person.post("/o/acme/knowledge/add/", {"title": "Prices", "content": "A quite unusual sentence."})
    document = Document.objects.get()
    # Not while it is being prepared: nothing happens then.
    person.post(f"/o/acme/knowledge/{document.pk}/again/")
    provider.fail_with["embedding"] = AIError("content_refused", provider="openai")
    index_document(document.pk)
    for _ in range(2):
        person.post(f"/o/acme/knowledge/{document.pk}/again/")
    for _ in range(2):
        person.post(f"/o/acme/knowledge/{document.pk}/delete/")

    for action in ("document.added", "document.prepared_again", "document.deleted"):
        event = the_event(action)
        assert (event.organization, event.actor, event.target) == (member.organization, member.user, "Prices")
        assert event.after == {"document": str(document.pk)}
    assert AuditEvent.objects.count() == 3
    assert "unusual" not in str(AuditEvent.objects.values_list())


def test_a_refused_document_leaves_none(person: Client) -> None:
    person.post("/o/acme/knowledge/add/", {"title": "", "content": "Ten dollars."})

    assert not AuditEvent.objects.exists()
