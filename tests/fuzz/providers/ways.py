"""Every way on which an answer of a provider comes into the product, through its real adapters and clients."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from byok.calls.repairing import repair_due
from byok.catalog.own_models import sync_own_models
from byok.catalog.syncing import sync_openrouter
from byok.checking.connection import test_ai_connection as check_connection
from byok.config.saving import save_ai_config
from byok.connecting.openrouter import exchange_code
from byok.errors import translated
from byok.models import ProviderCredential, SyncOutcome
from byok.resolver import get_model_for_tenant
from leadagent.leads.knowledge.embedding import generate_embeddings
from leadagent.leads.models import Lead, Step, StepStatus, WorkflowRun
from leadagent.leads.running.steps import perform_step
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import CHAT, EMBEDDINGS, MODELS, STREAM, chat
from tests.byok.keys import KEYS
from tests.byok.lost_answers import GENERATION
from tests.leads.factories import LeadFactory, claimed, run_for

VERDICT = '{"category": "QUALIFIED", "reason": "They want to buy.", "confidence": 0.9}'
REPLY = '{"subject": "Your gears", "body": "Dear Ann, shall we talk?"}'
_MODELS = {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "x"} for name in MODELS.values()]}
_OPENROUTER_LIST = {
    "data": [
        {
            "id": "openai/gpt-4o-mini",
            "canonical_slug": "openai/gpt-4o-mini",
            "name": "OpenAI: GPT-4o-mini",
            "created": 1721260800,
            "description": "Small.",
            "context_length": 128000,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "GPT"},
            "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "input_cache_read": "0.000000075"},
            "top_provider": {"context_length": 128000, "max_completion_tokens": 16384, "is_moderated": True},
            "supported_parameters": ["tools", "max_tokens"],
        }
    ]
}
_KEY = {
    "data": {
        "label": "sk-or-v1-5f2...xyz", "limit": 10, "usage": 1.5, "limit_remaining": 8.5, "is_free_tier": False,
        "is_provisioning_key": False, "expires_at": "2030-01-01T00:00:00Z", "rate_limit": {"requests": 10},
    }
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """`go` makes the call and says how it ended; `body` is what the provider would answer, `events` the stream."""

    name: str
    go: Callable[[], str]
    body: Any = None
    events: tuple[bytes, ...] = ()

    def events_for(self, request: httpx2.Request) -> list[bytes]:
        """The stream that the request asks for; empty where it asks for a whole answer."""
        if self.events:
            return list(self.events)
        is_stream = request.method == "POST" and b'"stream":true' in request.content.replace(b" ", b"")
        return _as_events(self.body) if is_stream else []


def ways(organizations: dict[str, Organization]) -> list[Way]:
    """All of them; `organizations` are three, by the provider whose key each holds."""
    made = [
        Way("OpenRouter, list of all models", _sync, _OPENROUTER_LIST),
        Way("OpenRouter, key for a code", _connect, {"key": KEYS["openrouter"], "user_id": None}),
        Way("OpenRouter, cost afterwards", _repair, {"data": GENERATION}),
        Way("OpenAI, own models", _own_models(organizations["openai"]), {"data": [{"id": "ft:gpt-4o-mini:acme::1"}]}),
    ]
    for provider, organization in organizations.items():
        made += [
            Way(f"{provider}, chat", _chat(organization), CHAT[provider]),
            Way(f"{provider}, stream", _chat(organization, stream=True), events=tuple(STREAM[provider])),
            Way(f"{provider}, research", _step(organization, 0), CHAT[provider]),
            Way(f"{provider}, verdict", _step(organization, 1), typed(provider, VERDICT)),
            Way(f"{provider}, email", _step(organization, 2), typed(provider, REPLY)),
            Way(f"{provider}, test of a key", _test(organization, provider), _KEY if "router" in provider else _MODELS),
            Way(f"{provider}, probe", _test(organization, provider, probe=True), CHAT[provider]),
        ]
        if provider != "anthropic":
            made.append(Way(f"{provider}, embedding", _embed(organization), EMBEDDINGS))
    return made


def with_key(organization: Organization, provider: str) -> Organization:
    """The organisation with its own key and models at `provider`."""
    embedding = "" if provider == "anthropic" else MODELS[provider].replace("gpt-4o-mini", "text-embedding-3-small")
    save_ai_config(
        organization,
        provider=provider,
        chat_model=MODELS[provider],
        embedding_provider=provider if embedding else "",
        embedding_model=embedding,
        api_key=KEYS[provider],
    )
    return organization


def typed(provider: str, arguments: str) -> Any:
    """The answer of a model that fills in a form: a call of pydantic-ai's output tool."""
    if provider == "anthropic":
        use = {"type": "tool_use", "id": "toolu_1", "name": "final_result", "input": json.loads(arguments)}
        return CHAT[provider] | {"content": [use], "stop_reason": "tool_use"}
    call = {"id": "call_1", "type": "function", "function": {"name": "final_result", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return CHAT[provider] | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def _as_events(body: Any) -> list[bytes]:
    """A whole answer of Anthropic's as the stream that brings the same."""
    usage = body["usage"]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": body | {"content": [], "stop_reason": None, "usage": usage}}
    ]
    for number, block in enumerate(body["content"]):
        if block["type"] == "tool_use":
            start, text = block | {"input": {}}, json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in (text[:9], text[9:])]
        else:
            start, deltas = block | {"text": ""}, [{"type": "text_delta", "text": block["text"]}]
        events.append({"type": "content_block_start", "index": number, "content_block": start})
        events += [{"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": number})
    ending = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ending, "usage": {"output_tokens": 50}}, {"type": "message_stop"}]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def _chat(organization: Organization, *, stream: bool = False) -> Callable[[], str]:
    def go() -> str:
        model = get_model_for_tenant(organization, "chat", operation="qualification")
        with translated(model.provider):
            answer = chat(model, stream=stream)
            if stream:
                return f"{len(list(answer)) and 'read'}"
        return "read"

    return go


def _embed(organization: Organization) -> Callable[[], str]:
    def go() -> str:
        [vector] = generate_embeddings(organization, ["Hello"]).vectors
        if not all(isinstance(number, float) for number in vector):
            raise TypeError(f"no vector: {vector[:3]}")
        return "read"

    return go


def _step(organization: Organization, done: int) -> Callable[[], str]:
    def go() -> str:
        lead: Lead = LeadFactory(organization=organization)
        run: WorkflowRun = run_for(lead, done=done)
        perform_step(claimed(run))
        step = Step.objects.get(run=run, position=done + 1)
        if step.error_code == "internal_error":
            raise StepBroke
        return "read" if step.status == StepStatus.SUCCEEDED else step.error_code

    return go


class StepBroke(Exception):
    """The step ended as our own failure: the reason is what its log would tell."""


def _test(organization: Organization, provider: str, *, probe: bool = False) -> Callable[[], str]:
    def go() -> str:
        report = check_connection(
            provider, KEYS[provider], chat_models=[MODELS[provider]], organization=organization, probe=probe
        )
        report.as_json()
        return str(report.state)

    return go


def _sync() -> str:
    sync = sync_openrouter()
    return "refused" if sync.outcome == SyncOutcome.FAILED else "read"


def _own_models(organization: Organization) -> Callable[[], str]:
    credential = ProviderCredential.objects.get(organization=organization)

    def go() -> str:
        sync = sync_own_models(credential)
        return "refused" if sync.outcome == SyncOutcome.FAILED else "read"

    return go


def _connect() -> str:
    exchange_code("code", verifier="v" * 43)
    return "read"


def _repair() -> str:
    return "read" if repair_due() else "unknown"
