"""A probe: one real call with the fewest tokens, metered and booked like any other."""

import json
from collections.abc import Callable

import httpx2
import pytest

from byok.checking.reports import LineState
from byok.models import CredentialStatus, ProviderCredential
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import ANTHROPIC_CHAT, MODELS, OPENAI_CHAT
from tests.byok.keys import KEYS
from tests.byok.scripted_provider import (
    FAILED,
    OK,
    UNKNOWN,
    WARNING,
    WIRES,
    Answer,
    Script,
    asked,
    complete,
    line,
    states,
)
from usage.models import AIUsage

PROBED = pytest.mark.django_db
Rows = Callable[[], list[AIUsage]]


@PROBED
@WIRES
def test_a_probe_is_one_call_and_one_row(organization: Organization, script: Script, rows: Rows, provider: str) -> None:
    scripted = script(provider)
    report = asked(provider, organization=organization, probe=True)
    complete(report)
    assert line(report, "probe").state is OK
    assert report.is_proved
    (call,) = [request for request in scripted.fake.sent if request.method == "POST"]
    body = json.loads(call.content)
    limit = {"max_tokens": 1} if provider == "anthropic" else {"max_completion_tokens": 16}
    assert limit.items() <= body.items()
    assert body["model"] == MODELS[provider]
    (row,) = rows()
    assert (row.operation, row.key_owner, row.credential_id) == ("connection_test", "customer", None)
    assert row.success
    assert row.organization_id == organization.pk
    assert row.cost is not None
    from usage.formats import money

    assert f"It cost {money(row.cost)}." in line(report, "probe").text
    assert line(report, "credit").state is OK


@PROBED
def test_a_probe_settles_what_a_restricted_key_leaves_open(
    organization: Organization, script: Script, rows: Rows
) -> None:
    script("openai").at_key(httpx2.Response(401, json={"error": {"message": "Missing scopes: api.model.read"}}))
    report = asked("openai", embedding_model="", organization=organization, probe=True)
    assert line(report, "key").state is WARNING
    assert line(report, "chat_model").state is OK
    assert line(report, "credit").state is OK
    assert report.is_proved
    assert len(rows()) == 1


@PROBED
@pytest.mark.parametrize(
    ("answer", "state", "code", "others"),
    [
        (
            httpx2.Response(429, json={"error": {"code": "insufficient_quota"}}),
            FAILED,
            "no_credit",
            {"credit": "failed"},
        ),
        (
            httpx2.Response(401, json={"error": {"message": "Missing scopes: model.request"}}),
            FAILED,
            "missing_scope",
            {},
        ),
        (
            httpx2.Response(404, json={"error": {"code": "model_not_found"}}),
            FAILED,
            "model_not_found",
            {"chat_model": "failed"},
        ),
        (httpx2.Response(400, json={"error": {"message": "unsupported"}}), FAILED, "bad_request", {}),
        (httpx2.Response(429), UNKNOWN, "rate_limited", {}),
        (httpx2.Response(503), UNKNOWN, "overloaded", {}),
        (httpx2.Response(302, headers={"location": "https://stray.test"}), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, content=b"{"), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, json=[1]), UNKNOWN, "bad_response", {}),
        (httpx2.Response(200, content=b" " * (2 << 20)), UNKNOWN, "bad_response", {}),
        (httpx2.ReadTimeout("slow"), UNKNOWN, "timeout", {}),
        (httpx2.ReadError("reset"), UNKNOWN, "unreachable", {}),
        (httpx2.ConnectError("refused"), UNKNOWN, "unreachable", {}),
    ],
    ids=repr,
)
def test_a_probe_that_fails(
    organization: Organization,
    script: Script,
    rows: Rows,
    answer: Answer,
    state: LineState,
    code: str,
    others: dict[str, str],
) -> None:
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: answer
    report = asked("openai", organization=organization, probe=True)
    complete(report)
    assert (line(report, "probe").state, line(report, "probe").code) == (state, code)
    assert others.items() <= states(report).items()
    assert len([request for request in scripted.fake.sent if request.method == "POST"]) == 1
    (row,) = rows()
    assert not row.success


@PROBED
def test_a_reasoning_model_that_thinks_its_tokens_away_was_reached(organization: Organization, script: Script) -> None:
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: httpx2.Response(
        400,
        json={
            "error": {"message": "Could not finish the message because max_tokens or model output limit was reached."}
        },
    )
    report = asked("openai", organization=organization, probe=True)
    assert line(report, "probe").state is OK
    assert "not known" in line(report, "probe").text


@PROBED
def test_an_error_inside_a_good_status(organization: Organization, script: Script, rows: Rows) -> None:
    scripted = script("openrouter")
    body = OPENAI_CHAT | {"error": {"code": 502, "message": "Provider disconnected"}}
    scripted.by_path["/api/v1/chat/completions"] = lambda request: httpx2.Response(200, json=body)
    report = asked("openrouter", organization=organization, probe=True)
    assert (line(report, "probe").state, line(report, "probe").code) == (UNKNOWN, "overloaded")
    assert len(rows()) == 1


@PROBED
def test_no_probe_where_it_would_be_in_vain(organization: Organization, script: Script, rows: Rows) -> None:
    scripted = script("openrouter")
    scripted.key_facts(limit_remaining=0)
    assert "No test call was made" in line(asked("openrouter", organization=organization, probe=True), "probe").text
    scripted.at_key(httpx2.Response(401))
    assert line(asked("openrouter", organization=organization, probe=True), "probe").state is UNKNOWN
    scripted.key_facts()
    report = asked("openrouter", chat_models=[], organization=organization, probe=True)
    assert "no chat model" in line(report, "probe").text
    assert rows() == []
    assert all(request.method == "GET" for request in scripted.fake.sent)
    with pytest.raises(ValueError, match="organisation"):
        asked("openrouter", probe=True)


@PROBED
def test_the_organisations_choice_to_keep_no_detail_holds_for_a_probe(
    organization: Organization, script: Script, rows: Rows
) -> None:
    from byok.config.saving import save_ai_config

    save_ai_config(organization, provider="openai", chat_model="gpt-4o", api_key=KEYS["openai"], usage_tracking=False)
    scripted = script("openai")
    scripted.by_path["/v1/chat/completions"] = lambda request: httpx2.Response(500, json={"error": {"message": "why"}})
    asked("openai", organization=organization, probe=True)
    (row,) = rows()
    assert row.error_message == ""
    assert ProviderCredential.objects.get().status == CredentialStatus.UNTESTED


def test_a_probes_body_is_never_larger_than_it_must_be() -> None:
    from byok.providers import REGISTRY

    for entry in REGISTRY.values():
        body = entry.probe("m").body
        assert set(body) - {"model", "messages"} in ({"max_tokens"}, {"max_completion_tokens"})
    assert ANTHROPIC_CHAT["usage"]
