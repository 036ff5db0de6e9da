"""The JSON API of leads: by token and by session, each in its own organisation."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from leadagent.leads.models import Lead, LeadSource
from leadagent.leads.running.leases import fail_step
from leadagent.leads.running.run_state import StepFailure
from leadagent.tenants.models import ApiToken, Membership, Organization, Role, Scope
from tests.factories import MembershipFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import LeadFactory, claimed, run_for

pytestmark = pytest.mark.django_db

LEAD = {"name": "Ann Gear", "email": "ann@gears.example", "message": "We need 400 licences."}


class Caller:
    def __init__(self, organization: Organization, *scopes: str) -> None:
        _, text = ApiToken.issue(organization, name="Test", scopes=list(scopes), created_by=None)
        self.headers = {"HTTP_AUTHORIZATION": f"Bearer {text}"}
        self.client = Client()

    def post(self, payload: Any, **headers: str) -> Any:
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return self.client.post("/api/leads", body, content_type="application/json", **self.headers, **headers)  # type: ignore[arg-type]

    def get(self, lead_id: object) -> Any:
        return self.client.get(f"/api/leads/{lead_id}", **self.headers)  # type: ignore[arg-type]


@pytest.fixture
def caller(organization: Organization) -> Caller:
    return Caller(organization, Scope.LEADS_WRITE)


def test_a_lead_is_handed_in_and_followed(
    caller: Caller,
    organization: Organization,
    nudges: Nudges,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = caller.post(LEAD)

    assert response.status_code == 201
    lead = Lead.objects.get()
    assert (lead.organization, lead.source) == (organization, LeadSource.API)
    assert nudges.names == ["advance_run"]
    answer = response.json()
    assert answer == caller.get(lead.pk).json()
    assert (answer["id"], answer["status"], answer["run"]["status"]) == (str(lead.pk), "working", "queued")
    assert [step["name"] for step in answer["run"]["steps"]] == ["research", "qualification", "email_generation"]
    assert answer["run"]["qualification"] is None
    assert answer["run"]["email"] is None


def test_a_finished_run_shows_verdict_and_email(caller: Caller, organization: Organization) -> None:
    run = run_for(LeadFactory(organization=organization), done=3)

    answer = caller.get(run.lead_id).json()

    verdict = answer["run"]["qualification"]
    assert len(verdict.pop("reasons")) == 3
    assert verdict == {
        "category": "QUALIFIED",
        "reason": "They want to buy.",
        "confidence": 0.9,
    }
    assert answer["run"]["email"] == {"status": "draft", "subject": "Your gears"}


def test_a_paused_run_says_what_has_to_be_done(caller: Caller, organization: Organization) -> None:
    run = run_for(LeadFactory(organization=organization))
    fail_step(claimed(run), StepFailure("invalid_key", "Save a new key.", permanent=True, needs_admin=True))

    answer = caller.get(run.lead_id).json()["run"]

    assert (answer["status"], answer["error_code"], answer["error_message"]) == (
        "paused",
        "invalid_key",
        "Save a new key.",
    )
    assert answer["steps"][0]["error_code"] == "invalid_key"


def test_a_repeated_call_finds_the_first_lead(caller: Caller, organization: Organization) -> None:
    first = caller.post(LEAD, HTTP_IDEMPOTENCY_KEY="order-1")
    again = caller.post(LEAD, HTTP_IDEMPOTENCY_KEY="order-1")
    other = caller.post(LEAD | {"message": "Another"}, HTTP_IDEMPOTENCY_KEY="order-1")

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["id"] == first.json()["id"]
    assert other.json()["error"]["code"] == "idempotency_conflict"
    lead = Lead.objects.get()
    assert lead.runs.count() == 1

    assert (
        Caller(MembershipFactory().organization, Scope.LEADS_WRITE)
        .post(LEAD, HTTP_IDEMPOTENCY_KEY="order-1")
        .status_code
        == 201
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"message": None}, "message"),
        ({"message": "x" * 8001}, "message"),
        ({"phone": "1\x00"}, "phone"),
    ],
)
def test_a_mistake_names_its_field(caller: Caller, change: dict[str, Any], field: str) -> None:
    response = caller.post(LEAD | change)

    assert response.status_code == 422
    assert response.json()["error"]["field"] == field
    assert not Lead.objects.exists()


def test_what_is_no_json_is_refused(caller: Caller) -> None:
    assert caller.post("{").status_code == 400


def test_the_scope_decides(organization: Organization) -> None:
    reader = Caller(organization, Scope.USAGE_READ)
    lead = LeadFactory(organization=organization)

    assert reader.post(LEAD).status_code == 403
    assert reader.get(lead.pk).status_code == 403


def test_another_organisations_lead_is_not_there(caller: Caller) -> None:
    caller.headers["HTTP_X_REQUEST_ID"] = "the-same-for-both"
    foreign = caller.get(LeadFactory().pk)

    assert foreign.status_code == 404
    assert foreign.json() == caller.get("00000000-0000-4000-8000-000000000000").json()


@pytest.mark.parametrize(("role", "reads", "writes"), [("viewer", 200, 403), ("member", 200, 201), ("admin", 200, 201)])
def test_a_session_acts_by_its_role(organization: Organization, role: str, reads: int, writes: int) -> None:
    person = MembershipFactory(organization=organization, role=Role(role))
    lead = LeadFactory(organization=organization)
    client = Client()
    client.force_login(person.user)

    assert client.get(f"/api/leads/{lead.pk}").status_code == reads
    posted = client.post("/api/leads", json.dumps(LEAD), content_type="application/json")
    assert posted.status_code == writes
    if writes == 201:
        assert Lead.objects.get(pk=posted.json()["id"]).runs.get().created_by == person.user


def test_outsiders_and_strangers_get_nothing(organization: Organization) -> None:
    lead = LeadFactory(organization=organization)
    stranger, outsider = Client(), Client()
    outsider.force_login(MembershipFactory().user)

    assert stranger.get(f"/api/leads/{lead.pk}").status_code == 401
    assert stranger.post("/api/leads", json.dumps(LEAD), content_type="application/json").status_code == 401
    assert outsider.get(f"/api/leads/{lead.pk}").status_code == 404
    assert outsider.get(f"/api/leads/{lead.pk}", HTTP_X_ORGANIZATION="acme").status_code == 404


def test_a_session_call_from_another_site_is_refused(member: Membership) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    assert client.post("/api/leads", json.dumps(LEAD), content_type="application/json").status_code == 403
    assert not Lead.objects.exists()
