"""Which models we would take for which operation at each provider, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from byok.catalog.offered_models import EMBEDDING_REASON, ModelOption, option_of
from byok.config.values import CHAT_OPERATIONS
from byok.models import Capability, CatalogModel, ModelKind, Tier
from byok.providers import REGISTRY

OPERATION_LABELS = {
    "research": "Research",
    "qualification": "Qualification",
    "email_generation": "Email drafts",
    "embedding": "Embeddings",
}

_RESEARCH = "reads long pages and uses its tools reliably"
_VERDICT = "a short verdict needs no more, and it is by far the cheapest"
_EMAIL = "writes the most natural replies"

Candidates = tuple[tuple[str, str], ...]

# provider -> operation -> (model, reason), the best one first. Which of them is still offered is the catalog's to say.
_CANDIDATES: dict[str, dict[str, Candidates]] = {
    "openrouter": {
        "research": (("anthropic/claude-sonnet-5.5", _RESEARCH), ("openai/gpt-5.4", _RESEARCH)),
        "qualification": (("anthropic/claude-haiku-5.5", _VERDICT), ("openai/gpt-5.4-mini", _VERDICT)),
        "email_generation": (("anthropic/claude-sonnet-5.5", _EMAIL), ("openai/gpt-5.4", _EMAIL)),
        "embedding": (("openai/text-embedding-3-small", EMBEDDING_REASON),),
    },
    "openai": {
        "research": (("gpt-5.4", _RESEARCH), ("gpt-5.5", _RESEARCH)),
        "qualification": (("gpt-5.4-mini", _VERDICT), ("gpt-5.4", _VERDICT)),
        "email_generation": (("gpt-5.4", _EMAIL), ("gpt-5.5", _EMAIL)),
        "embedding": (("text-embedding-3-small", EMBEDDING_REASON),),
    },
    "anthropic": {
        "research": (("claude-sonnet-5-5", _RESEARCH), ("claude-opus-5-5", _RESEARCH)),
        "qualification": (("claude-haiku-5-5", _VERDICT), ("claude-haiku-4-5", _VERDICT)),
        "email_generation": (("claude-sonnet-5-5", _EMAIL), ("claude-opus-5-5", _EMAIL)),
    },
}


def _candidates(provider: str) -> dict[str, Candidates]:
    """By operation; of a provider that is not looked at above, the models that its own file begins with."""
    if provider in _CANDIDATES or provider not in REGISTRY:
        return _CANDIDATES.get(provider, {})
    entry = REGISTRY[provider]
    named: dict[str, Candidates] = dict.fromkeys(CHAT_OPERATIONS, entry.chat_models)
    named["embedding"] = tuple((model, EMBEDDING_REASON) for model in entry.embedding_models)
    return {operation: candidates for operation, candidates in named.items() if candidates}


# What an operation cannot do without.
_NEEDS = {
    "research": Capability.TOOLS,
    # A typed answer travels as a tool's arguments.
    "qualification": Capability.TOOLS,
    "email_generation": None,
    "embedding": None,
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One operation's model with its list price and the reason, a part of a sentence."""

    operation: str
    label: str
    option: ModelOption
    reason: str


def recommended_models(provider: str) -> list[Recommendation]:
    """One line per operation that the provider can serve; empty for the platform's own AI. One query.

    A model that is retired, or whose last day is known, is passed over for the next one; where
    none of ours is left, the catalog's own best fit is taken, with the reason in its facts.
    """
    if provider not in REGISTRY:
        return []
    return recommended_among(provider, CatalogModel.objects.filter(route=provider, organization=None))


def recommended_among(provider: str, models: Iterable[CatalogModel]) -> list[Recommendation]:
    """As `recommended_models`, out of these models of the provider alone."""
    offered = [
        row for row in models if row.retired_on is None and row.vanished_at is None and row.kind != ModelKind.OTHER
    ]
    found = (_pick(operation, candidates, offered) for operation, candidates in _candidates(provider).items())
    return [recommendation for recommendation in found if recommendation is not None]


def candidates_of(provider: str) -> set[str]:
    """Every model that we would take for some operation, the second choices too. Nothing is looked up."""
    return {name for candidates in _candidates(provider).values() for name, _ in candidates}


def _pick(operation: str, candidates: Candidates, offered: list[CatalogModel]) -> Recommendation | None:
    kind = ModelKind.CHAT if operation in CHAT_OPERATIONS else ModelKind.EMBEDDING
    needed = _NEEDS[operation]
    # What nobody tells of its capabilities is not taken to have them.
    fitting = {
        row.model_id: row
        for row in offered
        if row.kind == kind and (needed is None or needed in row.capabilities) and row.input_price is not None
    }
    for name, reason in candidates:
        if row := fitting.get(name):
            return Recommendation(operation, OPERATION_LABELS[operation], option_of(row, reason), reason)
    priced = [row for row in fitting.values() if row.input_price]
    if not priced:
        return None
    if operation in {"qualification", "embedding"}:
        row = min(priced, key=lambda each: (each.input_price, each.model_id))
        reason = "the cheapest one that can do it"
    else:
        row = max(priced, key=lambda each: (each.tier == Tier.PREMIUM, each.released_on or date.min, each.model_id))
        reason = "the newest one of the highest tier that can do it"
    return Recommendation(operation, OPERATION_LABELS[operation], option_of(row, reason), reason)


def recommended_ids() -> dict[str, frozenset[str]]:
    """By provider, every model that we would take for some operation. Nothing is looked up."""
    return {provider: frozenset(first for (first, _), *_ in _candidates(provider).values()) for provider in REGISTRY}


def reasons_for(provider: str, model: str) -> list[tuple[str, str]]:
    """For which operations we would take this model first, in words, and why; empty for the others."""
    firsts = {operation: candidates[0] for operation, candidates in _candidates(provider).items()}
    return [(OPERATION_LABELS[operation], reason) for operation, (name, reason) in firsts.items() if name == model]


def recommended_chat_model(provider: str) -> str:
    """The one to begin with, for everything; empty for the platform's own AI."""
    return _names(provider).get("research", "")


def recommended_embedding_model(provider: str) -> str:
    """The one to begin with; empty where the provider has none."""
    return _names(provider).get("embedding", "")


def recommended_values(provider: str) -> dict[str, str]:
    """The same as values of the form: the chat model, and by operation only what differs from it."""
    names = _names(provider)
    if not names:
        return {}
    chat = names.get("research", "")
    values = {"chat_model": chat}
    for operation in CHAT_OPERATIONS:
        model = names.get(operation, chat)
        values[f"model_{operation}"] = "" if model == chat else model
    if "embedding" in names:
        values |= {"embedding_provider": provider, "embedding_model": names["embedding"]}
    return values


def _names(provider: str) -> dict[str, str]:
    return {line.operation: line.option.id for line in recommended_models(provider)}
