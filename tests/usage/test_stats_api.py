"""`GET /api/ai-usage/stats`: the figures of the page, for programs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from leadagent.tenants.models import ApiToken, Organization, Role
from tests.factories import MembershipFactory, OrganizationFactory
from tests.usage.factories import finished, store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WHERE = "/api/ai-usage/stats"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


@pytest.fixture
def noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def token(organization: Organization) -> dict[str, str]:
    _, text = ApiToken.issue(organization, name="Sheets", scopes=["usage:read"], created_by=None)
    return {"Authorization": f"Bearer {text}"}


def read(token: dict[str, str], status: int = 200, **query: str) -> Any:
    answer = Client().get(WHERE, query, headers=token)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_sums_are_exact_and_money_is_text(organization: Organization, token: dict[str, str]) -> None:
    store(
        finished(organization, at=NOW, model="gpt-5", actual_cost=Decimal("0.100000000001"), duration_ms=2000),
        finished(organization, at=NOW, operation="research", estimated_cost=Decimal("0.3")),
        finished(organization, at=NOW, success=False, error_code="timeout", estimated_cost=None, key_owner="platform"),
        finished(organization, at=NOW - timedelta(days=31), actual_cost=Decimal(5)),
        finished(OrganizationFactory(), at=NOW, actual_cost=Decimal(777)),
    )
    found = read(token)
    assert found["period"] == {"period": "this-month", "start": "2026-11-01", "end": "2026-11-30"}
    assert found["totals"] == {
        "requests": 3, "successes": 2, "failures": 1, "input_tokens": 30, "cached_input_tokens": 0,
        "cache_write_tokens": 0, "output_tokens": 15, "reasoning_tokens": 0, "total_tokens": 45,
        "cost": "0.400000000001", "actual_cost": "0.100000000001", "estimated_cost": "0.300000000000",
        "unpriced_requests": 1,
    }  # fmt: skip
    provenance = found["cost_provenance"]
    assert Decimal(provenance["actual_share"]) == Decimal("0.100000000001") / Decimal("0.400000000001")
    assert provenance["unpriced_requests"] == 1
    assert [(group["operation"], group["cost"]) for group in found["by_operation"]] == [
        ("research", "0.300000000000"), ("qualification", "0.100000000001"),
    ]  # fmt: skip
    assert [(group["model"], group["requests"]) for group in found["by_model"]] == [("gpt-4o-mini", 2), ("gpt-5", 1)]
    assert found["top_models"] == found["by_model"]
    # The middle of the bucket from 1810 to 2153 ms.
    assert found["by_model"][1]["p50_ms"] == 1974
    assert [group["provider"] for group in found["by_provider"]] == ["openai"]
    assert {group["key_owner"]: group["requests"] for group in found["by_key_owner"]} == {"customer": 2, "platform": 1}
    assert [(day["day"], day["requests"]) for day in found["by_day"] if day["requests"]] == [("2026-11-26", 3)]
    assert len(found["by_day"]) == 30
    assert found["by_error"] == [{"error_code": "timeout", "failures": 1}]


def test_unknown_is_null_and_nothing_is_zero(organization: Organization, token: dict[str, str]) -> None:
    assert read(token)["totals"]["cost"] == "0"
    assert read(token)["cost_provenance"]["actual_share"] is None
    store(finished(organization, at=NOW, estimated_cost=None))
    assert read(token)["totals"]["cost"] is None


def test_days_are_both_included(organization: Organization, token: dict[str, str]) -> None:
    store(*(finished(organization, at=NOW - timedelta(days=n)) for n in range(5)))
    found = read(token, start="2026-11-23", end="2026-11-25")
    assert found["period"] == {"period": "custom", "start": "2026-11-23", "end": "2026-11-25"}
    assert found["totals"]["requests"] == 3
    assert read(token, period="7-days")["totals"]["requests"] == 5
    assert read(token, period="last-month")["totals"]["requests"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"period": "fortnight"}, "period"),
        ({"period": "custom"}, "period"),
        ({"period": "7-days", "start": "2026-11-01", "end": "2026-11-02"}, "period"),
        ({"start": "2026-11-01"}, "end"),
        ({"end": "2026-11-01"}, "start"),
        ({"start": "yesterday", "end": "2026-11-02"}, "start"),
        ({"start": "2026-11-03", "end": "2026-11-02"}, "end"),
        ({"start": "2026-11-03", "end": "9999-12-31"}, "end"),
        ({"start": "0001-01-01", "end": "2026-11-02"}, "start"),
        ({"start": "2025-01-01", "end": "2026-11-02"}, "end"),
    ],
)
def test_bad_input_names_its_field(token: dict[str, str], query: dict[str, str], field: str) -> None:
    error = read(token, 422, **query)["error"]
    assert (error["code"], error["field"]) == ("invalid", field)


def test_a_viewer_reads_it_by_session(organization: Organization) -> None:
    client = Client()
    client.force_login(MembershipFactory(organization=organization, role=Role.VIEWER).user)
    assert client.get(WHERE).status_code == 200
    assert client.post(WHERE).status_code == 405


def test_it_is_in_the_docs() -> None:
    page = Client().get("/api/docs").content.decode()
    assert "GET /api/ai-usage/stats" in page
    assert "usage:read" in page
