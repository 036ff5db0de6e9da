"""The page of single calls: filters with addresses, errors at their fields, endless paging, files."""

import csv
import io
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leadagent.tenants.models import AuditEvent, Organization, Role
from tests.clients import client_of
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(organization: Organization) -> str:
    return reverse("usage:calls", args=[organization.slug])


def test_the_filter_narrows_and_stays_in_the_address(organization: Organization, address: str) -> None:
    store(
        *(finished(organization, at=AT + timedelta(seconds=n), model="kept", operation="research") for n in range(30)),
        finished(organization, at=AT, model="left-out"),
    )
    client = client_of(organization, Role.VIEWER)
    response = client.get(address, {"model": "kept", "operation": "research"})
    assert [row.model for row in response.context["log"].rows] == ["kept"] * 25
    assert response.context["count"] == 30
    following = parse_qs(urlsplit(response.context["next_url"]).query)
    assert (following["model"], following["operation"]) == (["kept"], ["research"])
    rest = client.get(response.context["next_url"], headers={"HX-Request": "true"})
    assert rest.content.count(b"kept") == 5
    assert b"<h1" not in rest.content


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-02-30"}, "since"),
        ({"until": "9999-12-31"}, "until"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "until"),
        ({"model": "never used"}, "model"),
        ({"outcome": "maybe"}, "outcome"),
        ({"key_owner": "mine"}, "key_owner"),
        ({"lead": "7"}, "lead"),
    ],
)
def test_a_damaged_filter_is_told_at_its_field(
    organization: Organization, address: str, query: dict[str, str], field: str
) -> None:
    store(finished(organization))
    client = client_of(organization, Role.VIEWER)
    response = client.get(address, query)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    # The download leads to the page that says so.
    download = client.get(reverse("usage:export", args=[organization.slug]), query)
    assert download.status_code == 302
    assert client.get(download.headers["Location"]).status_code == 422


def test_a_cursor_that_was_never_given_out(organization: Organization, address: str) -> None:
    store(finished(organization))
    response = client_of(organization, Role.VIEWER).get(address, {"cursor": "nonsense"})
    assert response.status_code == 400
    assert "damaged" in response.content.decode()


def test_the_download_holds_what_the_filter_shows_and_is_written_down(organization: Organization) -> None:
    lead = uuid4()
    store(finished(organization, lead_id=lead), finished(organization), finished(OrganizationFactory(), lead_id=lead))
    response = client_of(organization, Role.VIEWER).get(
        reverse("usage:export", args=[organization.slug]), {"lead": str(lead)}
    )
    assert response.headers["Content-Disposition"].startswith('attachment; filename="usage-acme-')
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(cast("Any", response).streaming_content).decode("utf-8-sig")
    assert [row["lead_id"] for row in csv.DictReader(io.StringIO(text))] == [str(lead)]
    event = AuditEvent.objects.get(organization=organization, action="usage.exported")
    assert event.target == f"lead={lead}"


def test_queries_do_not_grow(organization: Organization, address: str) -> None:
    client = client_of(organization, Role.VIEWER)
    asked = []
    for count in (1, 24):
        store(*(finished(organization) for _ in range(count)))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(address).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]
    assert asked[0] <= 12


def test_members_of_other_organisations_find_nothing(organization: Organization, address: str) -> None:
    stranger = client_of(OrganizationFactory(), Role.ADMIN)
    for name in ("calls", "export", "exports"):
        assert stranger.get(reverse(f"usage:{name}", args=[organization.slug])).status_code == 404
    assert Client().get(address).status_code == 302
