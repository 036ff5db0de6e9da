"""A provider that answers each question about a key as a test wants it, and what every report has to hold."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from byok.checking.connection import test_ai_connection as check
from byok.checking.reports import ConnectionReport, LineState, ReportLine
from tests.byok.fake_provider import CHAT, MODELS, FakeProvider
from tests.byok.keys import KEYS

WIRES = pytest.mark.parametrize("provider", KEYS)
EMBEDDINGS = {"openrouter": "openai/text-embedding-3-small", "openai": "text-embedding-3-small", "anthropic": ""}
KEY_PATHS = {"openrouter": "/api/v1/key", "openai": "/v1/models", "anthropic": "/v1/models"}
OK, WARNING, FAILED, UNKNOWN = LineState.OK, LineState.WARNING, LineState.FAILED, LineState.UNKNOWN

KEY_FACTS: dict[str, Any] = {
    "label": "sk-or-v1-5f2...xyz",
    "usage": 25.5,
    "limit": 100,
    "limit_remaining": 74.5,
    "limit_reset": "monthly",
    "is_free_tier": False,
    "is_management_key": False,
    "expires_at": None,
}
Answer = httpx2.Response | BaseException


def listing(*names: str) -> httpx2.Response:
    return httpx2.Response(200, json={"data": [{"id": name} for name in names]})


class Scripted:
    """Answers per path; what is not named is well."""

    def __init__(self, fake: FakeProvider, provider: str) -> None:
        self.fake, self.provider = fake, provider
        self.by_path: dict[str, Callable[[httpx2.Request], Answer]] = {}
        fake.answer = self._answer

    def at_key(self, answer: Answer) -> None:
        self.by_path[KEY_PATHS[self.provider]] = lambda request: answer

    def key_facts(self, **facts: Any) -> None:
        self.by_path["/api/v1/key"] = lambda request: httpx2.Response(200, json={"data": KEY_FACTS | facts})

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.fake.sent]

    def _answer(self, request: httpx2.Request) -> Answer:
        path = request.url.path
        if path in self.by_path:
            return self.by_path[path](request)
        if path == "/api/v1/key":
            return httpx2.Response(200, json={"data": KEY_FACTS})
        if request.method == "POST":
            return httpx2.Response(200, json=CHAT[self.provider])
        if path.startswith("/v1/models/"):
            return httpx2.Response(404, json={"error": {"type": "not_found_error", "message": "model: none"}})
        return listing(*MODELS.values(), *EMBEDDINGS.values())


Script = Callable[[str], Scripted]


def asked(provider: str, **more: Any) -> ConnectionReport:
    chosen = {"chat_models": [MODELS[provider]], "embedding_model": EMBEDDINGS[provider]} | more
    return check(provider, KEYS[provider], **chosen)


def line(report: ConnectionReport, name: str) -> ReportLine:
    (found,) = [line for line in report.lines if line.check == name]
    return found


def states(report: ConnectionReport) -> dict[str, str]:
    return {line.check: line.state.value for line in report.lines}


def complete(report: ConnectionReport) -> None:
    """What holds for every report: sentences, a next step where one is needed, and the way to the row and back."""
    for each in report.lines:
        assert each.text.endswith(".")
        assert each.text[0].isupper() or each.text[0] == "$" or each.model
        assert each.label
        assert bool(each.next_step) is (each.state is not OK) or each.state is WARNING
        assert "{" not in each.text + each.next_step
        assert not any(key in repr(each) for key in KEYS.values())
    assert ConnectionReport.from_json(json.loads(json.dumps(report.as_json()))) == report
