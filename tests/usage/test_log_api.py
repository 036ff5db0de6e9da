"""GET /api/ai-usage/history and /export: the same filters, keyset cursors, exact sums."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from leadagent.tenants.models import ApiToken, Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, store

pytestmark = pytest.mark.django_db


def ask(organization: Organization, path: str, query: dict[str, Any] | None = None, scope: str = "usage:read") -> Any:
    _, token = ApiToken.issue(organization, name="Report", scopes=[scope], created_by=None)
    return Client().get(f"/api/ai-usage/{path}", query or {}, headers={"Authorization": f"Bearer {token}"})


def test_history_page_by_page(organization: Organization) -> None:
    rows = store(*(finished(organization, at=AT + timedelta(seconds=n)) for n in range(5)))
    store(finished(OrganizationFactory(), at=AT))
    seen, cursor = [], ""
    while True:
        answer = ask(organization, "history", {"limit": 2, "cursor": cursor}).json()
        seen += [call["id"] for call in answer["calls"]]
        if not (cursor := answer["next_cursor"]):
            break
    assert seen == [str(row.id) for row in reversed(rows)]


def test_sums_are_texts_and_unknown_is_null(organization: Organization) -> None:
    store(finished(organization, actual_cost=Decimal("0.1234567890"), estimated_cost=None))
    (call,) = ask(organization, "history").json()["calls"]
    assert call["actual_cost"] == "0.123456789"
    assert call["estimated_cost"] is None
    assert (call["result"], call["whose_key"]) == ("answered", "customer")


@pytest.mark.parametrize("cost", ["0", "0.00000045", "12"])
def test_sums_have_no_exponent_and_are_those_of_the_download(organization: Organization, cost: str) -> None:
    store(finished(organization, actual_cost=Decimal(cost)))
    (call,) = ask(organization, "history").json()["calls"]
    assert call["actual_cost"] == cost
    download = ask(organization, "export", {"format": "jsonl"})
    assert json.loads(b"".join(download.streaming_content))["cost_usd"] == cost


def test_filters(organization: Organization) -> None:
    store(finished(organization, model="a"), finished(organization, model="b", success=False, state="unreconciled"))
    assert [call["model"] for call in ask(organization, "history", {"model": "a"}).json()["calls"]] == ["a"]
    assert [call["model"] for call in ask(organization, "history", {"result": "not_confirmed"}).json()["calls"]] == [
        "b"
    ]
    assert ask(organization, "history", {"since": "2030-01-01"}).json() == {"calls": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "until"),
        ({"until": "9999-12-31"}, "until"),
        ({"result": "maybe"}, "result"),
        ({"whose_key": "mine"}, "whose_key"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"model": "\x00"}, "model"),
        ({"lead_id": "7"}, "lead_id"),
    ],
)
def test_bad_input_is_told_at_its_field(organization: Organization, query: dict[str, Any], field: str) -> None:
    answer = ask(organization, "history", query)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field


def test_export_streams_the_same_calls(organization: Organization) -> None:
    store(finished(organization, model="a"), finished(organization, model="b"))
    answer = ask(organization, "export", {"model": "b"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert [row["model"] for row in csv.DictReader(io.StringIO(text))] == ["b"]
    lines = ask(organization, "export", {"format": "jsonl"})
    assert lines.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert b"".join(lines.streaming_content).count(b"\n") == 2


def test_a_token_without_the_scope(organization: Organization) -> None:
    for path in ("history", "export"):
        assert ask(organization, path, scope="config:read").status_code == 403
