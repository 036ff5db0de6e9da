"""The connection test against the sandbox over real HTTP: every way in which a key can misbehave, on every wire."""

import time
from collections.abc import Iterator

import httpx2
import pytest
from pytest_django import Settings

from byok.checking.connection import test_ai_connection as check
from byok.checking.reports import ConnectionReport, LineState, ReportLine
from byok.models import CredentialStatus
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory
from tests.sandbox.conftest import PREFIXES, NewKey, Sandbox
from usage.ledger import ingest
from usage.models import AIUsage

WIRES = pytest.mark.parametrize("wire", PREFIXES)
MODELS = {"openai": "gpt-5-mini", "anthropic": "claude-haiku-5-5", "openrouter": "openai/gpt-5-mini"}
EMBEDDINGS = {"openai": "text-embedding-3-small", "anthropic": "", "openrouter": "openai/text-embedding-3-small"}
OK, WARNING, FAILED, UNKNOWN = LineState.OK, LineState.WARNING, LineState.FAILED, LineState.UNKNOWN


@pytest.fixture(autouse=True)
def provided_by_the_sandbox(sandbox: Sandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.PROVIDER_URLS = {wire: sandbox.base_url(wire) for wire in PREFIXES}
    with httpx2.HTTPTransport() as pool:
        monkeypatch.setattr("byok.wire._sync_pool", pool)
        yield


def asked(wire: str, key: str, **more: object) -> ConnectionReport:
    chosen = {"chat_models": [MODELS[wire]], "embedding_model": EMBEDDINGS[wire]} | more
    return check(wire, key, **chosen)  # type: ignore[arg-type]


def line(report: ConnectionReport, name: str) -> ReportLine:
    (found,) = [line for line in report.lines if line.check == name]
    return found


@WIRES
def test_a_good_key(sandbox: Sandbox, new_key: NewKey, wire: str) -> None:
    key = new_key(wire)
    report = asked(wire, key)
    assert report.is_proved
    assert not report.is_refused
    recorded = sandbox.recorded(key)
    assert {entry["kind"] for entry in recorded} <= {"models", "key"}
    assert all(entry["status"] == 200 for entry in recorded)
    assert len(recorded) == (3 if wire == "openrouter" else 1)


@WIRES
@pytest.mark.parametrize(
    ("word", "code", "state"),
    [
        ("invalid", "invalid_key", FAILED),
        ("ratelimit7", "rate_limited", UNKNOWN),
        ("overloaded", "overloaded", UNKNOWN),
        ("servererror", "overloaded", UNKNOWN),
        ("broken", "bad_response", UNKNOWN),
        ("huge", "bad_response", UNKNOWN),
        ("reset", "unreachable", UNKNOWN),
    ],
)
def test_a_key_that_gets_no_answer(
    sandbox: Sandbox, new_key: NewKey, wire: str, word: str, code: str, state: LineState
) -> None:
    key = new_key(wire, word)
    report = asked(wire, key)
    assert (line(report, "key").state, line(report, "key").code) == (state, code)
    expected = CredentialStatus.REJECTED if state is FAILED else CredentialStatus.UNREACHABLE
    assert report.credential_status is expected
    assert len(sandbox.recorded(key)) == 1
    if word == "ratelimit7":
        assert "in 7 seconds" in line(report, "key").next_step


@WIRES
def test_a_slow_provider_is_not_waited_for(new_key: NewKey, wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byok.checking.connection.SECONDS", 0.5)
    began = time.monotonic()
    report = asked(wire, new_key(wire, "slow2"))
    assert time.monotonic() - began < 1.5
    assert (line(report, "key").state, line(report, "key").code) == (UNKNOWN, "timeout")


def test_nobody_listens(settings: Settings, new_key: NewKey) -> None:
    settings.PROVIDER_URLS = {"openai": "http://127.0.0.1:1/v1"}
    report = asked("openai", new_key("openai"))
    assert line(report, "key").code == "unreachable"


@WIRES
def test_models_that_are_not_offered(new_key: NewKey, wire: str) -> None:
    report = asked(wire, new_key(wire), chat_models=[MODELS[wire], "acme/none"])
    assert [each.model for each in report.lines if each.state is FAILED] == ["acme/none"]


def test_a_dated_name_at_anthropic(new_key: NewKey) -> None:
    assert asked("anthropic", new_key("anthropic"), chat_models=["claude-haiku-4-5-20251001"]).is_proved


def test_a_restricted_openai_key(new_key: NewKey) -> None:
    report = asked("openai", new_key("openai", "noscope"))
    assert line(report, "key").state is WARNING
    assert line(report, "chat_model").state is UNKNOWN
    assert not report.is_refused


@pytest.mark.parametrize(
    ("word", "check_name", "state", "words"),
    [
        ("management", "kind", FAILED, "management key"),
        ("nocredit", "credit", FAILED, "$0.00 of this key's limit of $100.00"),
        ("keylimit", "credit", FAILED, "$0.00 of this key's limit of $100.00"),
        ("unlimited", "credit", OK, "No spending limit"),
        ("freetier", "credit", WARNING, "only free models"),
        ("expiring", "expiry", WARNING, "expires on"),
        ("expired", "key", FAILED, "expired"),
    ],
)
def test_what_openrouter_tells_of_a_key(
    new_key: NewKey, word: str, check_name: str, state: LineState, words: str
) -> None:
    report = asked("openrouter", new_key("openrouter", word))
    assert line(report, check_name).state is state
    assert words in line(report, check_name).text


# --- The probe ---


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory()


def rows() -> list[AIUsage]:
    ingest.drain()
    return list(AIUsage.objects.all())


@WIRES
def test_a_probe_is_one_generation_and_one_row(
    organization: Organization, sandbox: Sandbox, new_key: NewKey, wire: str
) -> None:
    key = new_key(wire)
    report = asked(wire, key, organization=organization, probe=True)
    assert line(report, "probe").state is OK
    assert line(report, "credit").state is OK
    assert "It cost $" in line(report, "probe").text
    (generation,) = [entry for entry in sandbox.recorded(key) if entry["kind"] == "chat"]
    (row,) = rows()
    assert (row.operation, row.success, row.credential_id) == ("connection_test", True, None)
    # Nothing was generated that is not booked.
    assert row.output_tokens == generation["usage"]["output_tokens"] <= 16


@WIRES
@pytest.mark.parametrize("word", ["nocredit", "forbidden", "errorin200"])
def test_a_probe_finds_what_a_list_hides(
    organization: Organization, sandbox: Sandbox, new_key: NewKey, wire: str, word: str
) -> None:
    key = new_key(wire, word)
    report = asked(wire, key, organization=organization, probe=True)
    generations = [entry for entry in sandbox.recorded(key) if entry["kind"] == "chat"]
    assert line(report, "probe").state in {FAILED, UNKNOWN}
    assert line(report, "key").state is OK
    assert len(rows()) == len(generations)
    if wire == "openrouter" and word == "nocredit":
        # The key itself tells that it would be in vain.
        assert generations == []
    else:
        assert len(generations) == 1
    if word == "nocredit":
        assert report.credential_status is CredentialStatus.NO_CREDIT


def test_a_restricted_key_is_proved_by_the_probe(organization: Organization, new_key: NewKey) -> None:
    report = asked("openai", new_key("openai", "noscope"), embedding_model="", organization=organization, probe=True)
    assert report.is_proved
    assert len(rows()) == 1
