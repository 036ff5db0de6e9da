"""Which models a configuration chooses, by the names that the providers know them by. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from byok.config.ai_config import EffectiveConfig
from byok.models import PLATFORM_DEFAULT, AIConfig
from byok.providers import REGISTRY


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """One choice. `purpose`: `chat`, `embedding`, or the operation that has a model of its own; `name` as stored."""

    purpose: str
    route: str
    model_id: str
    name: str


def chosen_models(config: AIConfig | EffectiveConfig, *, with_platform: bool = False) -> Iterator[ChosenModel]:
    """Chat first, then operations, then embedding. The platform's own choices only where they are asked for."""

    def route_of(provider: str | None) -> str | None:
        # Behind the platform's AI stands one of the providers too.
        return settings.PLATFORM_PROVIDER if with_platform and provider == PLATFORM_DEFAULT else provider

    if entry := REGISTRY.get(route_of(config.provider) or ""):
        for purpose, name in {"chat": config.chat_model, **config.operation_models}.items():
            if name:
                yield ChosenModel(purpose, entry.id, entry.model_id(name), name)
    if (entry := REGISTRY.get(route_of(config.embedding_provider) or "")) and (name := config.embedding_model):
        yield ChosenModel("embedding", entry.id, entry.embedding_model_id(name), name)


def further_models(config: AIConfig | EffectiveConfig) -> Iterator[ChosenModel]:
    """The models that take over when a chosen one cannot answer, in order; `purpose` is their operation."""
    for operation, names in config.further_models.items():
        is_embedding = operation == "embedding"
        entry = REGISTRY.get((config.embedding_provider if is_embedding else config.provider) or "")
        if entry is None:
            continue
        for name in names:
            model_id = entry.embedding_model_id(name) if is_embedding else entry.model_id(name)
            yield ChosenModel(operation, entry.id, model_id, name)
