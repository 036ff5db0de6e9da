"""The JSON API of lists, changes, notes and runs: by every role, scope and organisation that may try."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leadagent.leads.inbox.notes import add_note
from leadagent.leads.models import DraftStatus, Lead, LeadStatus
from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Organization, Role, Scope
from tests.factories import MembershipFactory
from tests.leads.conftest import Nudges
from tests.leads.factories import LeadFactory, draft_under_review, run_for

pytestmark = pytest.mark.django_db

Call = Callable[..., Any]


def caller(organization: Organization, *scopes: str) -> Call:
    """`call(method, path, body)` with a token of the organisation."""
    _, text = ApiToken.issue(organization, name="Test", scopes=list(scopes), created_by=None)
    return _calling(Client(), {"Authorization": f"Bearer {text}"})


def session(membership: Membership) -> Call:
    client = Client()
    client.force_login(membership.user)
    return _calling(client, {"X-Organization": membership.organization.slug})


def _calling(client: Client, headers: dict[str, str]) -> Call:
    def call(method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body) if body is not None else ""
        return client.generic(method, f"/api/leads{path}", data, content_type="application/json", headers=headers)

    return call


@pytest.fixture
def writer(organization: Organization) -> Call:
    return caller(organization, Scope.LEADS_WRITE)


@pytest.fixture
def lead(organization: Organization) -> Lead:
    return LeadFactory(organization=organization)


def error(answer: Any) -> tuple[int, str, str]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], told.get("field", "")


# --- Listing --------------------------------------------------------------------------


def test_a_list_has_everything_of_a_lead_but_its_run(organization: Organization, member: Membership) -> None:
    run = run_for(LeadFactory(organization=organization, assigned_to=member.user), done=3)
    LeadFactory()

    [row] = caller(organization, Scope.LEADS_READ)("GET", "").json()["leads"]

    assert row["id"] == str(run.lead_id)
    assert (row["status"], row["category"]) == ("review", "QUALIFIED")
    assert row["assigned_to"] == {"name": member.user.display_name, "email": "member@acme.test"}
    assert "run" not in row
    assert "search" not in row


def test_pages_join_without_gap(organization: Organization, writer: Call) -> None:
    leads = {str(LeadFactory(organization=organization).pk) for _ in range(5)}
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = writer("GET", query).json()
        seen += [row["id"] for row in page["leads"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert len(seen) == 5
    assert set(seen) == leads


def test_filters_search_and_order(organization: Organization, member: Membership, writer: Call) -> None:
    mine = LeadFactory(organization=organization, assigned_to=member.user, company="Velvet")
    LeadFactory(organization=organization, status=LeadStatus.CLOSED)

    def found(query: str, call: Call = writer) -> int:
        return len(call("GET", f"?{query}").json()["leads"])

    assert found("q=velv") == found("assigned_to=member@acme.test") == found("assigned_to=MEMBER@acme.test") == 1
    assert found("assigned_to=me", session(member)) == 1
    assert found("assigned_to=nobody") == found("status=closed") == 1
    assert found("category=none") == found("days=3650") == found("sort=oldest") == 2
    assert found("source=api") == found("category=SUPPORT") == found("q=!!!") == 0
    assert writer("GET", "?sort=oldest&limit=1").json()["leads"][0]["id"] == str(mine.pk)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=evil", "status"), ("category=x", "category"), ("source=x", "source"), ("days=0", "days"),
        ("sort=x", "sort"), ("limit=0", "limit"), ("limit=201", "limit"), ("cursor=x", "cursor"),
        ("cursor=oldest_2026-01-01T00:00:00Z_0", "cursor"), ("assigned_to=x@y.test", "assigned_to"),
        ("assigned_to=me", "assigned_to"), ("assigned_to=%00", "assigned_to"), (f"q={'x' * 201}", "q"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_field(writer: Call, query: str, field: str) -> None:
    assert error(writer("GET", f"?{query}")) == (422, "invalid", field)


def test_an_address_of_elsewhere_is_unknown_here(writer: Call) -> None:
    outsider = MembershipFactory(role=Role.MEMBER)
    assert error(writer("GET", f"?assigned_to={outsider.user.email}"))[0] == 422


def test_many_rows_cost_the_queries_of_few(organization: Organization, member: Membership, writer: Call) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert writer("GET", "?limit=200").status_code == 200
        return len(captured)

    writer("GET", "")
    LeadFactory(organization=organization, assigned_to=member.user)
    one = queries()
    for _ in range(20):
        LeadFactory(organization=organization, assigned_to=member.user)
    assert queries() == one


# --- Changing --------------------------------------------------------------------------


def test_assign_close_and_reopen(organization: Organization, member: Membership, writer: Call, lead: Lead) -> None:
    where = f"/{lead.pk}"

    answer = writer("PATCH", where, {"assigned_to": "Member@acme.test", "status": "closed"})
    assert (answer.status_code, answer.json()["status"]) == (200, "closed")
    assert answer.json()["assigned_to"]["email"] == "member@acme.test"
    answer = writer("PATCH", where, {"status": "open"})
    assert (answer.json()["status"], answer.json()["assigned_to"]["email"]) == ("new", "member@acme.test")
    assert writer("PATCH", where, {"assigned_to": None}).json()["assigned_to"] is None
    assert writer("PATCH", where, {}).json()["status"] == "new"
    labels = set(AuditEvent.objects.filter(action__startswith="lead.").values_list("actor_label", flat=True))
    assert len(labels) == 1
    assert "API token" in labels.pop()


def test_all_or_nothing(organization: Organization, writer: Call, member: Membership) -> None:
    busy = run_for(LeadFactory(organization=organization)).lead

    answer = writer("PATCH", f"/{busy.pk}", {"assigned_to": "member@acme.test", "status": "closed"})

    assert error(answer) == (409, "run_conflict", "status")
    busy.refresh_from_db()
    assert (busy.status, busy.assigned_to) == (LeadStatus.WORKING, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"assigned_to": "viewer@acme.test"}, "assigned_to"), ({"assigned_to": "x@y.test"}, "assigned_to"),
        ({"assigned_to": ""}, "assigned_to"), ({"assigned_to": 5}, "assigned_to"), ({"status": "answered"}, "status"),
        ({"assigned_to": "\x00"}, "assigned_to"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(writer: Call, viewer: Membership, lead: Lead, body: Any, field: str) -> None:
    assert error(writer("PATCH", f"/{lead.pk}", body)) == (422, "invalid", field)


def test_nothing_else_can_be_changed(writer: Call, lead: Lead) -> None:
    writer("PATCH", f"/{lead.pk}", {"name": "Evil", "organization": 1, "category": "QUALIFIED", "source": "api"})
    lead.refresh_from_db()
    assert (lead.name == "Evil", lead.category, lead.source) == (False, "", "form")


# --- Notes -----------------------------------------------------------------------------


def test_notes_are_written_and_read(member: Membership, writer: Call, lead: Lead) -> None:
    by_token = writer("POST", f"/{lead.pk}/notes", {"text": " Called <b>twice</b> "})
    by_person = session(member)("POST", f"/{lead.pk}/notes", {"text": "Will call"})

    assert (by_token.status_code, by_token.json()["author"]) == (201, None)
    assert by_token.json()["text"] == "Called <b>twice</b>"
    assert by_person.json()["author"]["email"] == "member@acme.test"
    first = writer("GET", f"/{lead.pk}/notes?limit=1").json()
    assert [note["text"] for note in first["notes"]] == ["Will call"]
    second = writer("GET", f"/{lead.pk}/notes?limit=1&cursor={first['next_cursor']}").json()
    assert ([note["text"] for note in second["notes"]], second["next_cursor"]) == (["Called <b>twice</b>"], None)


@pytest.mark.parametrize("text", ["", "  ", "\x01", "x" * 5001, None, 5])
def test_what_is_no_note_is_refused(writer: Call, lead: Lead, text: Any) -> None:
    assert error(writer("POST", f"/{lead.pk}/notes", {"text": text})) == (422, "invalid", "text")
    assert not lead.notes.exists()


# --- Runs ------------------------------------------------------------------------------


def test_a_run_is_started_once(writer: Call, lead: Lead, nudges: Nudges) -> None:
    answer = writer("POST", f"/{lead.pk}/runs")
    again = writer("POST", f"/{lead.pk}/runs")

    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
    assert error(again) == (409, "run_conflict", "")
    assert lead.runs.count() == 1


def test_a_new_run_takes_the_place_of_a_draft(organization: Organization, writer: Call) -> None:
    draft = draft_under_review(organization=organization)

    assert writer("POST", f"/{draft.run.lead_id}/runs").status_code == 201

    draft.refresh_from_db()
    assert draft.status == DraftStatus.DISCARDED


# --- Who may ---------------------------------------------------------------------------

# (method, rest of the address, body, what a reader gets, what a writer gets)
CALLS = [
    ("GET", "", None, 200, 200),
    ("GET", "/{lead}", None, 200, 200),
    ("GET", "/{lead}/notes", None, 200, 200),
    ("PATCH", "/{lead}", {"status": "closed"}, 403, 200),
    ("POST", "/{lead}/notes", {"text": "Called"}, 403, 201),
    ("POST", "/{lead}/runs", None, 403, 201),
]
calls = pytest.mark.parametrize(("method", "path", "body", "reads", "writes"), CALLS)


@calls
def test_roles_and_scopes(
    organization: Organization, lead: Lead, method: str, path: str, body: Any, reads: int, writes: int
) -> None:
    where = path.format(lead=lead.pk)
    outsider = MembershipFactory(role=Role.ADMIN)
    foreign = 404 if "{lead}" in path else 200

    def status(call: Call) -> int:
        return int(call(method, where, body).status_code)

    assert status(session(MembershipFactory(organization=organization, role=Role.VIEWER))) == reads
    assert status(caller(organization, Scope.LEADS_READ)) == reads
    for scope in (Scope.USAGE_READ, Scope.CONFIG_READ, Scope.CONFIG_WRITE):
        assert status(caller(organization, scope)) == 403
    assert status(session(outsider)) == foreign
    assert status(caller(outsider.organization, Scope.LEADS_WRITE)) == foreign
    assert status(_calling(Client(), {})) == 401
    assert status(session(MembershipFactory(organization=organization, role=Role.MEMBER))) == writes
    expected = 409 if path.endswith("/runs") else writes
    assert status(session(MembershipFactory(organization=organization, role=Role.ADMIN))) == expected
    assert status(caller(organization, Scope.LEADS_WRITE)) == expected


def test_notes_of_other_organisations_stay_there(writer: Call) -> None:
    note = add_note(LeadFactory(), "Foreign", by=None)
    assert writer("GET", f"/{note.lead_id}/notes").status_code == 404
