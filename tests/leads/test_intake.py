"""Leads come in by the public form and by hand, are stored whatever happens, and machines are kept out."""

from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from leadagent.http import client_ip
from leadagent.leads import tasks
from leadagent.leads.models import Lead, LeadSource, RunStatus
from leadagent.leads.views.intake import VISITOR_LIMIT
from leadagent.tenants.models import Membership, Organization
from tests.leads.conftest import Nudges

pytestmark = pytest.mark.django_db

FIELDS = {
    "name": "Ann Gear",
    "email": "ann@gears.example",
    "company": "Gears Ltd",
    "phone": "",
    "message": "We need 400 licences.",
}
FORM = "/in/acme/"


def test_the_public_form_needs_no_account(organization: Organization) -> None:
    response = Client().get(FORM)

    assert response.status_code == 200
    assert "Contact Acme" in response.content.decode()


def test_a_message_becomes_a_lead_with_a_run(
    organization: Organization, nudges: Nudges, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = Client().post(FORM, FIELDS)

    assert response.headers["Location"] == "/in/acme/thanks/"
    lead = Lead.objects.get()
    assert (lead.organization, lead.source, lead.name) == (organization, LeadSource.FORM, "Ann Gear")
    run = lead.runs.get()
    assert run.status == RunStatus.QUEUED
    assert [(name, pk) for name, pk, _ in nudges.sent] == [("advance_run", run.pk)]
    assert "has reached Acme" in Client().get("/in/acme/thanks/").content.decode()


def test_a_mistake_keeps_what_was_typed(organization: Organization) -> None:
    response = Client().post(FORM, FIELDS | {"email": "not an address"})

    page = response.content.decode()
    assert response.status_code == 422
    assert "We need 400 licences." in page
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    "bad", [{"email": "ann@gears.example\nbcc: x@y.example"}, {"name": "Ann\x00"}, {"message": " "}]
)
def test_hostile_and_empty_fields_are_refused(organization: Organization, bad: dict[str, str]) -> None:
    assert Client().post(FORM, FIELDS | bad).status_code == 422
    assert not Lead.objects.exists()


def test_nothing_but_the_listed_fields_is_taken(organization: Organization) -> None:
    Client().post(FORM, FIELDS | {"source": "api", "status": "answered", "organization": "99"})

    lead = Lead.objects.get()
    assert (lead.organization, lead.source, lead.status) == (organization, LeadSource.FORM, "working")


def test_a_machine_is_thanked_and_ignored(organization: Organization) -> None:
    response = Client().post(FORM, FIELDS | {"fax_extension": "buy now"})

    assert response.headers["Location"] == "/in/acme/thanks/"
    assert not Lead.objects.exists()


def test_too_many_messages_from_one_address_are_refused_and_kept_on_the_page(organization: Organization) -> None:
    for _ in range(VISITOR_LIMIT):
        assert Client().post(FORM, FIELDS).status_code == 302
    refused = Client().post(FORM, FIELDS | {"message": "One more, please."})

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "One more, please." in refused.content.decode()
    assert Client(REMOTE_ADDR="192.0.2.9").post(FORM, FIELDS).status_code == 302
    assert Lead.objects.count() == VISITOR_LIMIT + 1


def test_an_organisation_has_a_limit_of_its_own(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadagent.leads.views.intake.ORGANIZATION_LIMIT", 2)

    answers = [Client(REMOTE_ADDR=f"192.0.2.{n}").post(FORM, FIELDS).status_code for n in range(3)]

    assert answers == [302, 302, 429]


@pytest.mark.parametrize(
    "refusal",
    [OperationalError("the broker is away"), OutOfMemoryError("over maxmemory"), ReadOnlyError("a replica"), OSError()],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_lead_is_stored_whatever_the_broker_answers(
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    refusal: Exception,
) -> None:
    monkeypatch.undo()

    def away(*args: object, **kwargs: object) -> None:
        raise refusal

    monkeypatch.setattr(tasks.advance_run, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().post(FORM, FIELDS).status_code == 302

    assert Lead.objects.get().runs.get().status == RunStatus.QUEUED


def test_an_unknown_organisation_is_not_there(db: None) -> None:
    assert Client().get("/in/nowhere/").status_code == 404
    assert Client().post("/in/nowhere/", FIELDS).status_code == 404
    assert Client().get("/in/nowhere/thanks/").status_code == 404


def test_the_public_form_asks_for_the_csrf_token(organization: Organization) -> None:
    assert Client(enforce_csrf_checks=True).post(FORM, FIELDS).status_code == 403


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (False, "203.0.113.5", "127.0.0.1"),
        (True, "203.0.113.5", "203.0.113.5"),
        (True, "10.6.6.6, 203.0.113.5", "203.0.113.5"),
        (True, "", "127.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_names_the_visitor(
    settings: Settings, trusted: bool, forwarded: str, address: str
) -> None:
    settings.TRUST_PROXY = trusted
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}

    assert client_ip(RequestFactory().get("/", **headers)) == address  # type: ignore[arg-type]


def test_a_member_adds_a_lead_by_hand(member: Membership, signed_in: Callable[[Membership], Client]) -> None:
    response = signed_in(member).post("/o/acme/leads/new/", FIELDS)

    lead = Lead.objects.get()
    assert response.headers["Location"] == f"/o/acme/leads/{lead.pk}/"
    assert (lead.source, lead.runs.get().created_by) == (LeadSource.PAGE, member.user)


def test_adding_by_hand_tells_what_is_missing(member: Membership, signed_in: Callable[[Membership], Client]) -> None:
    response = signed_in(member).post("/o/acme/leads/new/", FIELDS | {"name": ""})

    assert response.status_code == 422
    assert "400 licences" in response.content.decode()
