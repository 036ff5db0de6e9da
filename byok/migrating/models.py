"""Model names of the TypeScript system, as the providers know them here. Pure."""

import re
from dataclasses import dataclass

from byok.providers import REGISTRY

# Retired by their makers, or about to be, and what took their place: OpenAI shut the GPT ones down on
# 23 October 2026 (https://platform.openai.com/docs/deprecations), Anthropic the Claude 3 family during
# 2025 and 2026 (https://platform.claude.com/docs/en/about-claude/model-deprecations), Google Gemini 1.5
# in September 2025 (https://ai.google.dev/gemini-api/docs/deprecations). Empty: no successor known here.
_SUCCESSORS = {
    "openai/gpt-4": "openai/gpt-5",
    "openai/gpt-4-turbo": "openai/gpt-5",
    "openai/gpt-3-5-turbo": "openai/gpt-5-mini",
    "anthropic/claude-3-5-sonnet": "anthropic/claude-sonnet-5.5",
    "anthropic/claude-3-opus": "anthropic/claude-opus-5.5",
    "anthropic/claude-3-haiku": "anthropic/claude-haiku-5.5",
    "google/gemini-pro-1-5": "",
    "google/gemini-flash-1-5": "",
}
# What marks a dated edition of a model: -20241022, -0613, -2024-04-09, -latest.
_EDITION = re.compile(r"-(?:latest|preview|\d{8}|\d{4}-\d{2}-\d{2}|\d{4})$")


@dataclass(frozen=True, slots=True)
class MappedModel:
    """A name as it is stored here, and what the operator should know about it."""

    name: str
    notes: tuple[str, ...] = ()


def map_chat_model(provider: str, name: str) -> MappedModel:
    """The chat model `name` of the old system at `provider`.

    The vendor is dropped where the provider is the vendor (the old resolver did so at every call)
    and added where OpenRouter needs it and the family tells it. Retired names are kept and told.
    """
    name = name.strip()
    notes = []
    if provider == "openrouter":
        if name and "/" not in name and (vendor := _vendor(name)):
            notes.append(f"chat model {name} is {vendor}/{name} at OpenRouter")
            name = f"{vendor}/{name}"
    else:
        name = name.removeprefix(f"{provider}/")
        if (vendor := _vendor(name)) != provider and (vendor or "/" in name):
            notes.append(f"chat model {name} is not one of {REGISTRY[provider].label}'s: choose another")
    qualified = name if "/" in name else f"{provider}/{name}"
    base = _EDITION.sub("", qualified).replace(".", "-")
    if base in _SUCCESSORS:
        successor = _at(provider, _SUCCESSORS[base])
        notes.append(f"chat model {name} is retired{f': {successor} took its place' if successor else ''}")
    return MappedModel(name, tuple(notes))


def map_embedding_model(provider: str, name: str) -> MappedModel:
    """The embedding model `name` of the old system at `provider`; empty where the provider has none."""
    entry = REGISTRY[provider]
    name = name.strip()
    if not entry.offers_embeddings:
        return MappedModel(
            "",
            (f"no embeddings: {entry.label} offers none (the old system sent its key to OpenAI, which refuses it)",),
        )
    if not name:
        return MappedModel(entry.embedding_models[0], (f"embedding model not named: {entry.embedding_models[0]}",))
    if provider == "openrouter":
        return MappedModel(name if "/" in name else f"openai/{name}")
    return MappedModel(name.removeprefix(f"{provider}/"))


def _vendor(name: str) -> str:
    """Whose family a bare name belongs to; empty where it does not tell."""
    if name.startswith(("gpt-", "chatgpt-", "o1", "o3", "o4")):
        return "openai"
    return "anthropic" if name.startswith("claude-") else ""


def _at(provider: str, name: str) -> str:
    """A vendor/model name as `provider` spells it. Anthropic itself writes its versions with a hyphen."""
    if provider == "openrouter":
        return name
    vendor, _, model = name.partition("/")
    if vendor != provider:
        return ""
    return model.replace(".", "-") if provider == "anthropic" else model
