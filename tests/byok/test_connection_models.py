"""What a capability report says about each chosen model."""

import httpx2
import pytest

from byok.checking.reports import LineState
from byok.models import CredentialStatus
from tests.byok.fake_provider import MODELS
from tests.byok.scripted_provider import (
    FAILED,
    OK,
    UNKNOWN,
    WIRES,
    Answer,
    Script,
    asked,
    complete,
    line,
    listing,
)


@WIRES
def test_a_model_that_is_not_offered(script: Script, provider: str) -> None:
    script(provider)
    report = asked(provider, chat_models=[MODELS[provider], "acme/none"], embedding_model="acme/nothing")
    missing = [line for line in report.lines if line.state is FAILED]
    assert [(line.check, line.model) for line in missing] == [
        ("chat_model", "acme/none"),
        ("embedding_model", "acme/nothing"),
    ]
    assert "acme/none" in missing[0].text
    assert report.is_refused
    assert report.credential_status is CredentialStatus.OK


def test_an_alias_at_anthropic_is_resolved(script: Script) -> None:
    scripted = script("anthropic")
    scripted.at_key(listing("claude-haiku-4-5-20251001"))
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(
        200, json={"id": "claude-haiku-4-5-20251001", "type": "model"}
    )
    assert asked("anthropic").is_proved
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(503)
    assert line(asked("anthropic"), "chat_model").state is UNKNOWN
    scripted.by_path["/v1/models/claude-haiku-4-5"] = lambda request: httpx2.Response(200, json={"id": 5})
    assert line(asked("anthropic"), "chat_model").state is UNKNOWN


@pytest.mark.parametrize("name", ["../../oauth/token", "a/../../b", "..", "x?y=1", "x#y", "x y", "é"])
def test_a_models_name_cannot_lead_elsewhere(script: Script, name: str) -> None:
    scripted = script("anthropic")
    report = asked("anthropic", chat_models=[name])
    assert line(report, "chat_model").state in {FAILED, UNKNOWN}
    for request in scripted.fake.sent:
        assert request.url.host == "api.anthropic.com"
        assert request.url.raw_path.startswith(b"/v1/models")
        assert request.url.raw_path.count(b"?") <= 1
        assert b"oauth/token" not in request.url.raw_path


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("openai/gpt-4o-mini:nitro", OK),
        ("openai/gpt-4o-mini:online", OK),
        ("openai/gpt-4o-mini:free", FAILED),
        ("openai/gpt-4o-mini-2024-07-18", OK),
        ("openai/other:nitro", FAILED),
        ("@preset/leads", UNKNOWN),
    ],
)
def test_names_that_openrouters_list_does_not_hold(script: Script, name: str, state: LineState) -> None:
    scripted = script("openrouter")
    model = {"id": "openai/gpt-4o-mini", "canonical_slug": "openai/gpt-4o-mini-2024-07-18"}
    scripted.by_path["/api/v1/models/user"] = lambda request: httpx2.Response(200, json={"data": [model]})
    assert line(asked("openrouter", chat_models=[name]), "chat_model").state is state


LISTS_UNREADABLE: list[Answer] = [
    httpx2.Response(500),
    httpx2.Response(401, json={"error": {"message": "User not found."}}),
    httpx2.Response(404, json={"error": {"message": "Not Found"}}),
    httpx2.Response(200, json={"data": {"a": 1}}),
    httpx2.Response(200, json={"data": [1, None, ["x"]]}),
    httpx2.Response(200, json={"data": [{"id": 7}]}),
    httpx2.ReadTimeout("slow"),
]


@pytest.mark.parametrize("answer", LISTS_UNREADABLE, ids=repr)
def test_a_list_that_cannot_be_read_says_nothing_about_its_models(script: Script, answer: Answer) -> None:
    scripted = script("openrouter")
    scripted.by_path["/api/v1/models/user"] = lambda request: answer
    report = asked("openrouter")
    complete(report)
    assert line(report, "key").state is OK
    assert line(report, "chat_model").state is UNKNOWN
    assert line(report, "embedding_model").state is OK
    assert not report.is_refused
    assert not report.is_proved


def test_an_empty_list_offers_nothing(script: Script) -> None:
    script("openai").at_key(listing())
    assert line(asked("openai"), "chat_model").state is FAILED


def test_anthropic_offers_no_embeddings(script: Script) -> None:
    script("anthropic")
    report = asked("anthropic", embedding_model="text-embedding-3-small")
    assert line(report, "embedding_model").state is FAILED
    assert "no embeddings" in line(report, "embedding_model").text
