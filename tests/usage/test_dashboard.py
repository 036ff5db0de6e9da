"""The usage page of a period: its figures, its states, and how little it asks of the database."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leadagent.tenants.models import Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory
from tests.usage.factories import finished, store
from usage.analytics import contributions
from usage.analytics.contributions import CheaperModel, Outcome
from usage.models import FreeTierMonth

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


@pytest.fixture
def noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def client(organization: Organization) -> Client:
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=Role.VIEWER).user)
    return client


@pytest.fixture
def address(organization: Organization) -> str:
    return reverse("usage:dashboard", args=[organization.slug])


def text_of(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_the_figures_of_a_month(organization: Organization, client: Client, address: str) -> None:
    last_month = NOW - timedelta(days=31)
    store(
        finished(organization, at=NOW, operation="research", model="gpt-5", actual_cost=Decimal("3"), duration_ms=2000),
        finished(organization, at=NOW, operation="research", model="gpt-5", estimated_cost=Decimal("1")),
        finished(organization, at=NOW, estimated_cost=None),
        finished(organization, at=NOW, success=False, error_code="rate_limited", estimated_cost=Decimal(0)),
        finished(organization, at=last_month, actual_cost=Decimal("2")),
        finished(OrganizationFactory(), at=NOW, actual_cost=Decimal("777"), model="gpt-foreign"),
    )
    page = client.get(address).content.decode()
    text = text_of(page)
    assert "November 2026 so far" in text
    assert "Cost $4.00 +100%, up from $2.00 in 1–\N{WORD JOINER}26 October" in text
    assert "75% actual, the rest estimated. 1 call of unknown cost not in it." in text
    assert "Success rate 75%" in text
    assert "1 of 4 failed" in text
    assert "gpt-5 OpenAI 2 30 $4.00 100%" in text
    assert "Rate limited 100% 1" in text
    assert "Research 100% $4.00" in text
    assert "foreign" not in page
    assert "777" not in page
    assert "Thu 26 Nov: $4.00 ($3.00 reported, $1.00 estimated) so far; 1 call of unknown cost" in text
    assert "Days and months are UTC" in text


@pytest.mark.parametrize(
    ("query", "words", "requests"),
    [
        ("", "November 2026 so far", 2),
        ("?period=last-month", "October 2026", 1),
        ("?period=7-days", "20–26 November 2026 so far", 1),
        ("?period=30-days", "28 October–26 November 2026 so far", 2),
        ("?period=90-days", "29 August–26 November 2026 so far", 3),
        ("?period=custom&start=2026-10-25&end=2026-11-01", "25 October–1 November 2026", 2),
    ],
)
def test_the_address_carries_the_period(
    organization: Organization, client: Client, address: str, query: str, words: str, requests: int
) -> None:
    store(*(finished(organization, at=NOW - timedelta(days=n)) for n in (0, 25, 31)))
    answer = client.get(address + query)
    assert answer.context["stats"].totals.requests == requests
    assert words in text_of(answer.content.decode())
    assert len(answer.context["charts"]["cost"].bars) == answer.context["period"].days
    assert (
        len(
            re.findall(
                r"<a [^>]*aria-current=.true.[^>]*id=.period-|id=.period-[^>]*aria-current=.true.",
                answer.content.decode(),
            )
        )
        == 1
    )


def test_htmx_gets_the_report_alone(organization: Organization, client: Client, address: str) -> None:
    store(finished(organization, at=NOW))
    answer = client.get(address, {"period": "7-days"}, headers={"HX-Request": "true"})
    part = answer.content.decode()
    assert part.lstrip().startswith('<div class="stack-large usage-report" id="usage-report"')
    assert "<html" not in part
    assert "Calls</h2>" not in part
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "part"])
def test_bad_input_is_told_at_its_field(client: Client, address: str, headers: dict[str, str]) -> None:
    answer = client.get(address, {"period": "custom", "start": "2026-11-20", "end": "2026-11-19"}, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(r'<input[^>]*name="end"[^>]*aria-invalid="true"', page)
    assert "This day is before the first one." in page
    assert 'value="2026-11-19"' in page
    unknown = client.get(address, {"period": "fortnight"}, headers=headers)
    assert unknown.status_code == 422
    assert "There is no such period" in unknown.content.decode()


def test_nothing_yet_and_nothing_in_the_period(organization: Organization, client: Client, address: str) -> None:
    assert "No AI calls in this period" in client.get(address).content.decode()
    store(finished(organization, at=NOW - timedelta(days=40)))
    page = client.get(address).content.decode()
    assert "Show 90 days" in page
    assert client.get(address, {"period": "90-days"}).context["stats"].totals.requests == 1


def test_a_database_that_does_not_answer(client: Client, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr("usage.views.dashboard.get_ai_usage_stats", broken)
    answer = client.get(address)
    assert answer.status_code == 503
    assert "Usage could not be read" in answer.content.decode()


def test_the_free_tier_has_its_meter(organization: Organization, client: Client, address: str) -> None:
    FreeTierMonth.objects.create(organization=organization, month=NOW.date().replace(day=1), used=45)
    page = client.get(address).content.decode()
    assert "45 of 50" in text_of(page)
    assert 'id="usage-free-tier-label"' in page


def test_what_others_contribute(
    organization: Organization, client: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = CheaperModel("research", "gpt-5", "gpt-5-mini", "it does", Decimal(4), Decimal("1.5"))
    monkeypatch.setattr(contributions, "_outcomes", [lambda *args: [Outcome("qualified lead", 4, "qualified")]])
    monkeypatch.setattr(contributions, "_cheaper", [lambda stats: [hint]])
    store(finished(organization, at=NOW, actual_cost=Decimal(3)))
    text = text_of(client.get(address).content.decode())
    assert "Cost per qualified lead $0.75 $3.00 for 4 qualified." in text
    assert "Research on gpt-5-mini would have cost $1.50 in place of $4.00: $2.50 less" in text


def test_a_contribution_that_fails_takes_nothing_along(
    organization: Organization, client: Client, address: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def broken(*args: Any) -> None:
        raise LookupError("no such price")

    monkeypatch.setattr(contributions, "_outcomes", [broken, lambda *args: [Outcome("email sent", 1, "sent")]])
    monkeypatch.setattr(contributions, "_cheaper", [broken])
    store(finished(organization, at=NOW, actual_cost=Decimal(3)))
    answer = client.get(address)
    assert answer.status_code == 200
    assert "Cost per email sent" in answer.content.decode()
    assert caplog.text.count("a part of the usage page is missing") == 2


def test_a_thousand_calls_of_many_days_cost_the_queries_of_one(
    organization: Organization, client: Client, address: str
) -> None:
    counts = []
    for events in (1, 40, 1000):
        store(
            *(
                finished(
                    organization, at=NOW - timedelta(days=n % 80, seconds=n), model=f"gpt-{n % 7}", lead_id=uuid4(),
                    success=bool(n % 9), error_code="" if n % 9 else f"error_{n % 4}",
                )
                for n in range(events)
            )
        )  # fmt: skip
        for query in ("", "?period=90-days"):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(address + query).status_code == 200
            counts.append(len(asked))
    assert set(counts) == {counts[0]}
    assert counts[0] <= 12, [query["sql"] for query in asked.captured_queries]
