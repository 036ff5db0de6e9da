"""What a capability report says about credit, limits and expiry."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from byok.checking.reports import LineState
from byok.models import CredentialStatus
from tests.byok.scripted_provider import (
    FAILED,
    KEY_FACTS,
    OK,
    UNKNOWN,
    WARNING,
    Script,
    asked,
    complete,
    line,
    states,
)


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, OK, "$74.50 of this key's limit of $100.00 is left. It starts afresh monthly."),
        ({"limit": None, "limit_remaining": None}, OK, "No spending limit is set"),
        ({"limit_remaining": 0}, FAILED, "$0.00 of this key's limit"),
        ({"limit_remaining": -0.5}, FAILED, "$0.00 of this key's limit"),
        ({"limit_remaining": 10}, WARNING, "$10.00 of this key's limit"),
        ({"limit_remaining": 0.00042}, WARNING, "$0.00042 of"),
        ({"is_free_tier": True, "limit": None, "limit_remaining": None}, WARNING, "only free models answer"),
        # Wrong types are no verdict.
        ({"limit": {"a": 1}}, UNKNOWN, "could not be read"),
        ({"limit_remaining": [1]}, UNKNOWN, "could not be read"),
        ({"limit_remaining": True}, UNKNOWN, "could not be read"),
        ({"limit_remaining": "much"}, UNKNOWN, "could not be read"),
        ({"limit_reset": {"x": 1}}, OK, "is left."),
    ],
)
def test_what_is_left(script: Script, facts: dict[str, Any], state: LineState, words: str) -> None:
    script("openrouter").key_facts(**facts)
    report = asked("openrouter")
    complete(report)
    assert line(report, "credit").state is state
    assert words in line(report, "credit").text
    expected = CredentialStatus.NO_CREDIT if state is FAILED else CredentialStatus.OK
    assert report.credential_status is expected


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 300])
def test_a_figure_that_is_no_sum(script: Script, written: str) -> None:
    body = json.dumps({"data": KEY_FACTS | {"limit_remaining": "@"}}).replace('"@"', written)
    script("openrouter").at_key(httpx2.Response(200, content=body.encode()))
    report = asked("openrouter")
    assert line(report, "credit").state is UNKNOWN
    assert line(report, "key").state is OK


@pytest.mark.parametrize(
    ("provider", "status", "body"),
    [
        ("openai", 429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "quota"}}),
        ("anthropic", 400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}),
        ("anthropic", 402, {"error": {"type": "billing_error", "message": "no"}}),
        ("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits"}}),
    ],
)
def test_no_credit_is_no_bad_key(script: Script, provider: str, status: int, body: Any) -> None:
    script(provider).at_key(httpx2.Response(status, json=body))
    report = asked(provider)
    assert line(report, "key").state is OK
    assert (line(report, "credit").state, line(report, "credit").code) == (FAILED, "no_credit")
    assert report.credential_status is CredentialStatus.NO_CREDIT


@pytest.mark.parametrize(
    ("in_days", "state"),
    [(-1, FAILED), (0.5, WARNING), (13.9, WARNING), (14.5, OK), (400, OK)],
)
def test_expiry(script: Script, in_days: float, state: LineState) -> None:
    expires = datetime.now(UTC) + timedelta(days=in_days)
    script("openrouter").key_facts(expires_at=expires.isoformat().replace("+00:00", "Z"))
    report = asked("openrouter")
    complete(report)
    assert line(report, "expiry").state is state
    assert report.expires_at == expires
    assert report.credential_status is (CredentialStatus.REJECTED if state is FAILED else CredentialStatus.OK)


@pytest.mark.parametrize("value", ["tomorrow", 1_800_000_000, {"at": 1}, "0001-01-01T00:00:00+23:59", "", True])
def test_an_expiry_that_cannot_be_read_is_left_out(script: Script, value: Any) -> None:
    script("openrouter").key_facts(expires_at=value)
    report = asked("openrouter")
    assert "expiry" not in states(report)
    assert report.expires_at is None
    assert report.is_proved
