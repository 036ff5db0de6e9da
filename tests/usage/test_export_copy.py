"""The file holds exactly what the page shows, is safe in a spreadsheet, and loses no digit."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadagent.tenants.csv_rows import safe_cell
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.usage.factories import AT, finished, store
from usage.calls.call_filter import CallFilter, Outcome, calls_of
from usage.calls.export_copy import COLUMNS, ExportFormat, export_chunks
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

EVERYTHING = CallFilter()


def csv_of(organization: Organization, wanted: CallFilter = EVERYTHING) -> list[dict[str, str]]:
    text = b"".join(export_chunks(organization, wanted)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def json_of(organization: Organization, wanted: CallFilter = EVERYTHING) -> list[dict[str, Any]]:
    text = b"".join(export_chunks(organization, wanted, ExportFormat.JSON_LINES)).decode()
    # Not splitlines: it would also split at characters that JSON leaves as they are.
    return [json.loads(line) for line in text.split("\n") if line]


def test_one_row_cell_by_cell(organization: Organization) -> None:
    lead, run = uuid4(), uuid4()
    (row,) = store(
        finished(
            organization,
            at=datetime(2026, 11, 15, 12, 0, 0, 123000, tzinfo=UTC),
            model="anthropic/claude-sonnet-5.5",
            provider="openrouter",
            cached_input_tokens=7,
            cache_write_tokens=3,
            reasoning_tokens=2,
            actual_cost=Decimal("0.000000000001"),
            price_version="genai-prices 0.2.3",
            lead_id=lead,
            run_id=run,
            streamed=True,
            provider_request_id="gen-1",
        )
    )
    store(finished(OrganizationFactory(), at=AT, model="foreign"))
    expected = {
        "id": str(row.id),
        "time_utc": "2026-11-15T12:00:00.123Z",
        "operation": "qualification",
        "provider": "openrouter",
        "model": "anthropic/claude-sonnet-5.5",
        "whose_key": "customer",
        "input_tokens": "10",
        "cached_input_tokens": "7",
        "cache_write_tokens": "3",
        "output_tokens": "5",
        "reasoning_tokens": "2",
        "total_tokens": "25",
        "cost_usd": "0.000000000001",
        "cost_source": "actual",
        "price_version": "genai-prices 0.2.3",
        "duration_ms": "820",
        "result": "answered",
        "http_status": "200",
        "error_code": "",
        "error_message": "",
        "streamed": "t",
        "lead_id": str(lead),
        "run_id": str(run),
        "provider_request_id": "gen-1",
    }
    assert csv_of(organization) == [expected]
    assert list(expected) == list(COLUMNS)
    (line,) = json_of(organization)
    assert line["cost_usd"] == "0.000000000001"
    assert (line["total_tokens"], line["streamed"], line["lead_id"]) == (25, True, str(lead))


def test_unknown_cost_is_empty_and_never_zero(organization: Organization) -> None:
    store(
        finished(organization, at=AT, estimated_cost=None, success=False, state="unreconciled"),
        finished(organization, at=AT + timedelta(seconds=1), estimated_cost=Decimal(0), success=False),
    )
    refused, lost = csv_of(organization)
    assert (lost["cost_usd"], lost["cost_source"], lost["result"]) == ("", "unknown", "not_confirmed")
    assert (refused["cost_usd"], refused["cost_source"], refused["result"]) == ("0", "estimated", "failed")
    assert json_of(organization)[1]["cost_usd"] is None


def test_the_file_is_what_the_page_shows(organization: Organization) -> None:
    """Every filter, on rows that differ in every column; order as on the page."""
    lead, run = uuid4(), uuid4()
    rows = store(
        *(
            finished(
                organization,
                at=AT + timedelta(hours=7 * n),
                operation=("research", "embedding")[n % 2],
                provider=("openai", "openrouter")[n % 3 == 0],
                model=f"m{n % 4}",
                key_owner=("customer", "platform")[n % 5 == 0],
                success=n % 6 != 0,
                state="unreconciled" if n == 12 else "final",
                lead_id=lead if n < 5 else None,
                run_id=run if n < 3 else None,
            )
            for n in range(24)
        )
    )
    filters = [
        EVERYTHING,
        CallFilter(since=date(2026, 11, 17)),
        CallFilter(until=date(2026, 11, 17)),
        CallFilter(since=date(2026, 11, 16), until=date(2026, 11, 16)),
        CallFilter(operation="embedding"),
        CallFilter(provider="openrouter", model="m1"),
        CallFilter(key_owner="platform"),
        *(CallFilter(outcome=outcome.value) for outcome in Outcome),
        CallFilter(lead=lead, outcome="answered"),
        CallFilter(run=run),
        CallFilter(model="no such model"),
    ]
    counts = []
    for wanted in filters:
        shown = [str(row.id) for row in calls_of(organization, wanted).order_by("-created_at", "-id")]
        assert [row["id"] for row in csv_of(organization, wanted)] == shown
        assert [row["id"] for row in json_of(organization, wanted)] == shown
        assert CallFilter.from_values(wanted.as_values()) == wanted
        counts.append(len(shown))
    assert len(rows) == 24
    assert counts == [24, 18, 9, 4, 12, 2, 5, 20, 3, 1, 4, 3, 0]


@given(text=st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_is_a_formula_and_none_is_lost(organization: Organization, text: str) -> None:
    AIUsage.objects.filter(organization=organization).delete()
    store(finished(organization, at=AT, error_message=text, success=False))
    (row,), (line,) = csv_of(organization), json_of(organization)
    assert line["error_message"] == text
    assert row["error_message"] in {text, f"'{text}"}
    # What the audit log's download holds back, this one holds back too.
    if safe_cell(text) != text:
        assert row["error_message"] == f"'{text}"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\u00a0=", "\u2003@"]
)
def test_every_start_of_a_formula(organization: Organization, start: str) -> None:
    text = f'{start}HYPERLINK("http://evil.test","x")'
    store(finished(organization, at=AT, error_message=text, model=text, success=False))
    (row,) = csv_of(organization)
    assert row["error_message"] == row["model"] == f"'{text}"
    assert json_of(organization)[0]["model"] == text


def test_percent_signs_are_no_parameters(organization: Organization) -> None:
    store(finished(organization, at=AT, model="100%s", error_message="%(x)s \\ \x01\x02 “”"))
    (row,), (line,) = csv_of(organization, CallFilter(model="100%s")), json_of(organization)
    assert row["model"] == line["model"] == "100%s"
    assert row["error_message"] == line["error_message"] == "%(x)s \\ \x01\x02 “”"


def test_pieces_are_small_and_rows_are_counted(organization: Organization) -> None:
    store(*(finished(organization, at=AT, error_message="x" * 400) for _ in range(400)))
    heard: list[int] = []
    sizes = [len(chunk) for chunk in export_chunks(organization, EVERYTHING, on_rows=heard.append)]
    assert len(sizes) > 3
    assert max(sizes) < 80_000
    assert heard[-1] == 400
    assert heard == sorted(heard)
