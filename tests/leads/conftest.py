"""Leads without a provider and without a broker: models are functions, nudges are collected."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pytest_django import Settings

from byok.calls.platform_fallback import Fallback
from byok.config.embedding_choice import EmbeddingChoice
from byok.errors import AIError
from leadagent.leads import tasks
from leadagent.tenants.models import Organization
from tests.people import admin, member, organization, signed_in, viewer

__all__ = ["admin", "member", "organization", "signed_in", "viewer"]

VERDICT = {
    "category": "QUALIFIED",
    "reason": "They want to buy.",
    "confidence": 0.9,
    "reasons": [{"statement": "It is a maker of gears.", "quote": "They make gears.", "source": "report"}],
}
REPLY = {"subject": "Your gears", "body": "Dear Ann,\n\nshall we talk?"}


@dataclass
class FakeProvider:
    """Stands where `byok.resolver` stands, and remembers what it was asked.

    `fail_with` holds an error per operation of the own key (`"research"`), or of the platform's
    AI in its place (`"research platform"`); `research` answers the agent's requests. `answers` holds typed answers
    per operation, one after the other; the last one stays.
    """

    calls: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    # (operation, "own" or "platform"), per call that was answered or failed.
    exchanges: list[tuple[str, str]] = field(default_factory=list)
    offered_tools: list[list[str]] = field(default_factory=list)
    fail_with: dict[str, AIError] = field(default_factory=dict)
    research: Callable[[list[ModelMessage], AgentInfo], ModelResponse] | None = None
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # What the model was told about its last answer.
    retold: list[str] = field(default_factory=list)
    embed: Callable[[list[str]], list[list[float]]] = lambda texts: [[float(len(text)), 1.0] for text in texts]

    def get_model_for_tenant(
        self,
        organization: Organization,
        kind: str,
        *,
        operation: str,
        lead: UUID | None = None,
        run: UUID | None = None,
        fallback: Fallback | None = None,
        instead: EmbeddingChoice | None = None,
    ) -> SimpleNamespace:
        self.calls.append(
            {"organization": organization, "kind": kind, "operation": operation, "lead": lead, "run": run}
        )
        if error := self.fail_with.get(f"{operation} config"):
            raise error
        where = "own" if fallback is None else "platform"
        return SimpleNamespace(
            provider="openai",
            model_id=self._embedding_model(instead) if kind == "embedding" else "gpt",
            is_customer_key=True,
            model=lambda: FunctionModel(lambda messages, info: self._answer(operation, where, messages, info)),
            client=lambda: SimpleNamespace(
                with_options=lambda **_: SimpleNamespace(
                    embeddings=SimpleNamespace(create=partial(self._embed, where))
                ),
                embeddings=SimpleNamespace(create=partial(self._embed, where)),
            ),
        )

    def _embedding_model(self, instead: EmbeddingChoice | None) -> str:
        return instead.model if instead else str(django_settings.PLATFORM_EMBEDDING_MODEL)

    @property
    def operations(self) -> list[str]:
        return [call["operation"] for call in self.calls]

    def _exchange(self, operation: str, where: str) -> None:
        self.exchanges.append((operation, where))
        if error := self.fail_with.get(operation if where == "own" else f"{operation} platform"):
            raise error

    def _answer(self, operation: str, where: str, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.prompts.append(str(messages[0].parts[-1].content))  # type: ignore[union-attr]
        self.instructions.append(info.instructions or "")
        self.offered_tools.append(sorted(tool.name for tool in info.function_tools))
        self._exchange(operation, where)
        if info.output_tools:
            if len(messages) > 1:
                self.retold += [str(getattr(part, "content", "")) for part in messages[-1].parts]
            answers = self.answers.get(operation) or [VERDICT if operation == "qualification" else REPLY]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, dict(answer))])
        if self.research is not None:
            return self.research(messages, info)
        return ModelResponse(parts=[TextPart("They make gears.")])

    def _embed(self, where: str, *, input: list[str], **_: str) -> SimpleNamespace:  # noqa: A002 -- the SDK's name
        self._exchange("embedding", where)
        vectors = self.embed(input)
        return SimpleNamespace(data=[SimpleNamespace(index=i, embedding=v) for i, v in enumerate(vectors)])


@dataclass
class Nudges:
    """What would have gone to the broker: (task, id, pause)."""

    sent: list[tuple[str, Any, timedelta]] = field(default_factory=list)

    def take(self) -> list[tuple[str, Any, timedelta]]:
        taken, self.sent = self.sent, []
        return taken

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.sent]


@pytest.fixture(autouse=True)
def own_cache(settings: Settings) -> None:
    """Limits count in the cache: every test starts at zero, and Redis is left alone."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "leads"}}
    cache.clear()


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    fake = FakeProvider()
    monkeypatch.setattr("byok.resolver.get_model_for_tenant", fake.get_model_for_tenant)
    return fake


@pytest.fixture(autouse=True)
def nudges(monkeypatch: pytest.MonkeyPatch) -> Nudges:
    collected = Nudges()

    def tell(task: Any, *row_id: Any, after: timedelta = timedelta(0)) -> None:
        if row_id:
            collected.sent.append((task.name.rpartition(".")[2], row_id[0], after))

    monkeypatch.setattr(tasks, "_tell", tell)
    return collected
