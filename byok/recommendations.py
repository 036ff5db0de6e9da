"""Which models we would take for which operation at each provider, and why."""

from __future__ import annotations

from dataclasses import dataclass

from byok.config import CHAT_OPERATIONS
from byok.offered_models import Kind, ModelOption, find_model

OPERATION_LABELS = {
    "research": "Research",
    "qualification": "Qualification",
    "email_generation": "Email drafts",
    "embedding": "Embeddings",
}

_RESEARCH = "reads long pages and uses its tools reliably"
_VERDICT = "a short verdict needs no more, and it is by far the cheapest"
_EMAIL = "writes the most natural replies"
_EMBEDDING = "precise enough to find the right document, and cheap"

# provider -> operation -> (model, reason)
_TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "openrouter": {
        "research": ("anthropic/claude-sonnet-5.5", _RESEARCH),
        "qualification": ("anthropic/claude-haiku-5.5", _VERDICT),
        "email_generation": ("anthropic/claude-sonnet-5.5", _EMAIL),
        "embedding": ("openai/text-embedding-3-small", _EMBEDDING),
    },
    "openai": {
        "research": ("gpt-5", _RESEARCH),
        "qualification": ("gpt-5-mini", _VERDICT),
        "email_generation": ("gpt-5", _EMAIL),
        "embedding": ("text-embedding-3-small", _EMBEDDING),
    },
    "anthropic": {
        "research": ("claude-sonnet-5-5", _RESEARCH),
        "qualification": ("claude-haiku-5-5", _VERDICT),
        "email_generation": ("claude-sonnet-5-5", _EMAIL),
    },
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One operation's model with its list price and the reason, a part of a sentence."""

    operation: str
    label: str
    option: ModelOption
    reason: str


def recommended_models(provider: str) -> list[Recommendation]:
    """One line per operation that the provider can serve; empty for the platform's own AI."""
    found = []
    for operation, (model, reason) in _TABLE.get(provider, {}).items():
        kind: Kind = "chat" if operation in CHAT_OPERATIONS else "embedding"
        option = find_model(provider, kind, model) or ModelOption(model, model, None, None, None)
        found.append(Recommendation(operation, OPERATION_LABELS[operation], option, reason))
    return found


def recommended_chat_model(provider: str) -> str:
    """The one to begin with, for everything; empty for the platform's own AI."""
    return _TABLE[provider]["research"][0] if provider in _TABLE else ""


def recommended_embedding_model(provider: str) -> str:
    """The one to begin with; empty where the provider has none."""
    return _TABLE.get(provider, {}).get("embedding", ("",))[0]


def recommended_values(provider: str) -> dict[str, str]:
    """The same as values of the form: the chat model, and by operation only what differs from it."""
    table = _TABLE.get(provider, {})
    if not table:
        return {}
    chat = recommended_chat_model(provider)
    values = {"chat_model": chat}
    for operation in CHAT_OPERATIONS:
        model = table[operation][0]
        values[f"model_{operation}"] = "" if model == chat else model
    if "embedding" in table:
        values |= {"embedding_provider": provider, "embedding_model": table["embedding"][0]}
    return values
