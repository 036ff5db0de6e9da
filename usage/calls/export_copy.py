"""Calls as CSV or JSON lines, written by PostgreSQL itself (`COPY … TO STDOUT`) and passed on as they come.

One statement is one moment: what arrives while it runs is not in it. Memory stays the same
at any number of rows, here and in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from django.db import connection

from leadagent.tenants.models import Organization
from usage.calls.call_filter import CallFilter, calls_of
from usage.models import AIUsage


class ExportFormat(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def content_type(self) -> str:
        return "text/csv; charset=utf-8" if self is ExportFormat.CSV else "application/jsonl; charset=utf-8"


# Text that a provider, a model's name or a person can have a say in.
_FREE_TEXT = ("operation", "provider", "model", "price_version", "error_code", "error_message", "provider_request_id")

# What spreadsheets take for the start of a formula, also in full width and behind white space: as in
# `tenants.csv_rows`, in PostgreSQL's words.
_FORMULA = r"^\s*[=+\-@＝＋－＠]|^[\t\r\n]"

# heading -> SQL over a row of AIUsage. Sums stay decimal texts: nothing is rounded on the way.
COLUMNS: dict[str, str] = {
    "id": "calls.id",
    "time_utc": """to_char(calls.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""",
    "operation": "calls.operation",
    "provider": "calls.provider",
    "model": "calls.model",
    "whose_key": "calls.key_owner",
    "input_tokens": "calls.input_tokens",
    "cached_input_tokens": "calls.cached_input_tokens",
    "cache_write_tokens": "calls.cache_write_tokens",
    "output_tokens": "calls.output_tokens",
    "reasoning_tokens": "calls.reasoning_tokens",
    "total_tokens": "calls.total_tokens",
    # Without the zeros that the column pads with; empty where unknown.
    "cost_usd": "trim_scale(coalesce(calls.actual_cost, calls.estimated_cost))::text",
    "cost_source": (
        "CASE WHEN calls.actual_cost IS NOT NULL THEN 'actual' "
        "WHEN calls.estimated_cost IS NOT NULL THEN 'estimated' ELSE 'unknown' END"
    ),
    "price_version": "calls.price_version",
    "duration_ms": "calls.duration_ms",
    "result": (
        "CASE WHEN calls.state = 'unreconciled' THEN 'not_confirmed' WHEN calls.success THEN 'answered' "
        "ELSE 'failed' END"
    ),
    "http_status": "calls.http_status",
    "error_code": "calls.error_code",
    "error_message": "calls.error_message",
    "streamed": "calls.streamed",
    "lead_id": "calls.lead_id",
    "run_id": "calls.run_id",
    "provider_request_id": "calls.provider_request_id",
}

# The mark tells spreadsheets that this is UTF-8.
_BYTE_ORDER_MARK = "\ufeff".encode()
_CHUNK = 64 * 1024


def _nobody_asks(rows: int) -> None:
    """Progress that nobody looks at."""


def export_chunks(
    organization: Organization,
    wanted: CallFilter,
    export_format: ExportFormat = ExportFormat.CSV,
    *,
    on_rows: Callable[[int], None] = _nobody_asks,
) -> Iterator[bytes]:
    """The file in pieces of about 64 KB, newest calls first. The first piece comes before the query has run.

    `on_rows` hears before each piece how many rows were read so far.
    """
    if export_format is ExportFormat.CSV:
        yield _BYTE_ORDER_MARK + ",".join(COLUMNS).encode() + b"\n"
    statement, parameters = _copy_statement(organization, wanted, export_format)
    held, rows = bytearray(), 0
    # Django's cursor knows no COPY; the driver's own, below it, does.
    with connection.cursor() as cursor, cursor.cursor.copy(statement, parameters) as copy:
        for block in copy:
            # PostgreSQL sends a message per row.
            held += block
            rows += 1
            if len(held) >= _CHUNK:
                on_rows(rows)
                yield bytes(held)
                held.clear()
    on_rows(rows)
    if held:
        yield bytes(held)


def _copy_statement(
    organization: Organization, wanted: CallFilter, export_format: ExportFormat
) -> tuple[str, tuple[Any, ...]]:
    chosen, parameters = _chosen(organization, wanted)
    if export_format is ExportFormat.CSV:
        columns = ", ".join(f"{_in_csv(name, sql)} AS {name}" for name, sql in COLUMNS.items())
        return f"COPY (SELECT {columns} FROM ({chosen}) AS calls) TO STDOUT (FORMAT csv)", parameters
    columns = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())
    lines = f"SELECT row_to_json(line)::text FROM (SELECT {columns} FROM ({chosen}) AS calls) AS line"
    # As CSV with a quote and a delimiter that JSON never holds raw: COPY's own text format would double backslashes.
    return f"COPY ({lines}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')", parameters


def _chosen(organization: Organization, wanted: CallFilter) -> tuple[str, tuple[Any, ...]]:
    """The rows of the filter as SQL with its parameters: the same query set that the page shows."""
    names = [field.name for field in AIUsage._meta.concrete_fields]
    chosen = calls_of(organization, wanted).order_by("-created_at", "-id").values(*names)
    sql, parameters = chosen.query.sql_with_params()
    return sql, tuple(parameters)


def _in_csv(name: str, sql: str) -> str:
    if name not in _FREE_TEXT:
        return sql
    # A percent sign would be taken for a parameter; there is none in the pattern.
    return f"CASE WHEN {sql} ~ E'{_escaped(_FORMULA)}' THEN '''' || {sql} ELSE {sql} END"


def _escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")
