"""What stands out about a model, as short marks and as a sentence's parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from byok.models import Capability, CatalogModel, ModelKind, Tier

NEW_FOR = timedelta(days=60)
# Tokens from which a context is called long, and very long.
LONG, VERY_LONG = 200_000, 1_000_000
_MOST_FRAGMENTS = 3
# US dollars per million input tokens up to which a large number of calls is no question of money.
_HIGH_VOLUME = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Badge:
    """A mark: `name` for programs, `word` for people, `why` as a sentence. `kind` and `icon` are its look."""

    name: str
    word: str
    kind: str
    icon: str
    why: str


def badges_of(
    model: CatalogModel, *, today: date, is_recommended: bool = False, popular_from: int | None = None
) -> list[Badge]:
    """The marks of a model on a UTC day, the one to heed first.

    `popular_from`: the popularity from which a model is among the most called; None where there are too few
    models to rank, and every called one is popular.
    """
    return list(_badges(model, today=today, is_recommended=is_recommended, popular_from=popular_from))


def _badges(model: CatalogModel, *, today: date, is_recommended: bool, popular_from: int | None) -> Iterator[Badge]:
    instead = f" Use {model.successor} instead." if model.successor else ""
    if model.retired_on is not None and model.retired_on <= today:
        yield Badge(
            "retired", "Retired", "bad", "archive", f"Answers no more since {model.retired_on:%-d %B %Y}.{instead}"
        )
    elif model.retired_on is not None:
        why = f"Answers until {model.retired_on:%-d %B %Y}.{instead}"
        yield Badge("retiring", f"Retires on {model.retired_on:%-d %B %Y}", "warn", "calendar-x", why)
    elif model.vanished_at is not None:
        why = f"Its provider no longer lists it.{instead}"
        yield Badge("unlisted", "No longer listed", "bad", "archive", why)
    if is_recommended:
        yield Badge("top", "Top", "info", "star", "One that we recommend.")
    if model.popularity > 0 and (popular_from is None or model.popularity >= popular_from):
        yield Badge("popular", "Popular", "info", "trending-up", "One of the most called in the last 30 days.")
    if model.tier == Tier.CHEAP:
        is_free = model.input_price == 0 and model.output_price in {None, Decimal(0)}
        yield Badge("cheap", "Free" if is_free else "Cheap", "good", "piggy-bank", "Among the cheapest of its kind.")
    if model.is_fast:
        yield Badge("fast", "Fast", "idle", "zap", "Known to answer quickly.")
    if model.released_on is not None and today - NEW_FOR < model.released_on <= today:
        yield Badge("new", "New", "info", "sparkles", f"Released on {model.released_on:%-d %B %Y}.")
    if model.organization_id is not None:
        yield Badge("own", "Yours", "idle", "lock", "Fine-tuned in your account; nobody else sees it.")


def best_for(model: CatalogModel) -> list[str]:
    """At most three parts of a sentence that say what the model is good at; empty where nothing is known."""
    parts = {
        ModelKind.CHAT: _chat_parts,
        ModelKind.EMBEDDING: _embedding_parts,
        ModelKind.OTHER: _other_parts,
    }[ModelKind(model.kind)]
    return list(dict.fromkeys(parts(model)))[:_MOST_FRAGMENTS]


def _chat_parts(model: CatalogModel) -> Iterator[str]:
    can, context = set(model.capabilities), model.context_window or 0
    is_cheap = model.tier == Tier.CHEAP or (model.input_price is not None and model.input_price <= _HIGH_VOLUME)
    if Capability.REASONING in can and not is_cheap:
        yield "complex reasoning and analysis"
    if is_cheap:
        yield "simple tasks in high volume"
    if model.is_fast:
        yield "quick answers"
    if context >= VERY_LONG:
        yield "very long documents"
    if {Capability.TOOLS, Capability.STRUCTURED_OUTPUT} <= can:
        yield "agents and typed answers"
    elif Capability.TOOLS in can:
        yield "agents that use tools"
    elif Capability.STRUCTURED_OUTPUT in can:
        yield "typed answers"
    if Capability.REASONING in can and is_cheap:
        yield "reasoning on a budget"
    if LONG <= context < VERY_LONG:
        yield "long documents"
    if Capability.VISION in can or "image" in model.input_modalities:
        yield "reading images"
    if "audio" in model.input_modalities:
        yield "listening to audio"
    if can.isdisjoint({Capability.TOOLS, Capability.REASONING}):
        yield "writing and conversation"


def _embedding_parts(model: CatalogModel) -> Iterator[str]:
    yield "finding documents by meaning"
    if model.tier == Tier.CHEAP:
        yield "large knowledge bases"
    elif model.tier == Tier.PREMIUM:
        yield "the most precise matches"
    if "image" in model.input_modalities:
        yield "finding images"


def _other_parts(model: CatalogModel) -> Iterator[str]:
    for modality, words in (("image", "making images"), ("audio", "making audio"), ("video", "making video")):
        if modality in model.output_modalities:
            yield words
    if "audio" in model.input_modalities and model.output_modalities == ["text"]:
        yield "writing down speech"
