"""The usage page: rows, totals, who may see them, and how little it asks of the database."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leadagent.tenants.models import Organization, Role
from tests.clients import client_of
from tests.factories import OrganizationFactory
from tests.usage.factories import finished, store
from usage.calls.log import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(organization: Organization) -> str:
    return reverse("usage:dashboard", args=[organization.slug])


@pytest.mark.parametrize("role", list(Role))
def test_every_member_may_look(organization: Organization, address: str, role: Role) -> None:
    assert client_of(organization, role).get(address).status_code == 200
    assert client_of(organization, role).post(address).status_code == 405


def test_outsiders_find_nothing(address: str) -> None:
    assert client_of(OrganizationFactory(), Role.ADMIN).get(address).status_code == 404


def test_rows_and_totals_of_this_organisation_only(organization: Organization, address: str) -> None:
    lead, now = uuid4(), datetime.now(UTC)
    store(
        finished(organization, at=now, model="gpt-own", actual_cost=Decimal("3.45"), lead_id=lead),
        finished(organization, at=now, model="gpt-lost", estimated_cost=None, success=False, error_code="stream_cut"),
        finished(organization, at=now, state="unreconciled", estimated_cost=None, success=False),
        finished(OrganizationFactory(), at=now, model="gpt-foreign", actual_cost=Decimal("777")),
    )
    page = client_of(organization, Role.VIEWER).get(address).content.decode()
    assert "gpt-own" in page
    assert "$3.45" in page
    assert "Answered" in page
    assert "stream_cut" in page
    assert "Not confirmed" in page
    assert "unknown" in page
    assert "2 calls of unknown cost" in page
    assert reverse("leads:detail", args=[organization.slug, lead]) in page
    assert "gpt-foreign" not in page
    assert "777" not in page


def test_the_next_page_comes_as_rows(organization: Organization, address: str) -> None:
    now = datetime.now(UTC)
    store(*(finished(organization, at=now - timedelta(seconds=n), model=f"model-{n:02}-") for n in range(PAGE + 3)))
    client = client_of(organization, Role.VIEWER)
    first = client.get(address)
    cursor = first.context["log"].next_cursor
    assert f"model-{PAGE - 1}-" in first.content.decode()
    more = client.get(address, {"cursor": cursor}, headers={"HX-Request": "true"}).content.decode()
    assert [f"model-{PAGE + n}-" in more for n in (-1, 0, 1, 2)] == [False, True, True, True]
    assert "<html" not in more
    whole = client.get(address, {"cursor": cursor}).content.decode()
    assert "<html" in whole
    assert "Newest calls" in whole


def test_the_address_in_the_page_leads_to_the_next_rows(organization: Organization, address: str) -> None:
    """The plus sign of `+00:00` survives the trip through the address."""
    now = datetime.now(UTC)
    store(*(finished(organization, at=now - timedelta(seconds=n), model=f"model-{n:02}-") for n in range(PAGE + 1)))
    client = client_of(organization, Role.VIEWER)
    found = re.search(r'href="([^"]*cursor=[^"]*)"', client.get(address).content.decode())
    assert found
    answer = client.get(unescape(found[1]))
    assert answer.status_code == 200
    assert f"model-{PAGE}-" in answer.content.decode()


def test_a_damaged_page_address_says_so(organization: Organization, address: str) -> None:
    answer = client_of(organization, Role.VIEWER).get(address, {"cursor": "x"})
    assert answer.status_code == 400
    assert "start again from the first page" in answer.content.decode()


def test_thirty_rows_cost_the_queries_of_one(organization: Organization, address: str) -> None:
    client, now, counts = client_of(organization, Role.VIEWER), datetime.now(UTC), []
    for events in (1, 29):
        store(*(finished(organization, at=now, model=f"gpt-{n}", lead_id=uuid4()) for n in range(events)))
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        counts.append(len(asked))
    assert counts[0] == counts[1]
