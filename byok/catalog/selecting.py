"""Taking a model of the catalog into use: for what it can be taken, and what a save would then change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings

from byok.catalog.chosen import chosen_models
from byok.catalog.recommendations import OPERATION_LABELS
from byok.config.ai_config import EffectiveConfig, byok_allowed
from byok.config.conflict import NOT_CHOSEN, Difference, differences_between
from byok.config.provider_setup import setup_for
from byok.config.values import CHAT_OPERATIONS
from byok.models import PLATFORM_DEFAULT, CatalogModel, ModelKind
from byok.provider_names import provider_label
from byok.providers import REGISTRY
from leadagent.tenants.models import Organization
from usage.alerting.cost_alert import cost_alert_of


class Purpose(StrEnum):
    """What a model is taken for; the last three are one operation each."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    RESEARCH = "research"
    QUALIFICATION = "qualification"
    EMAIL_GENERATION = "email_generation"

    @property
    def words(self) -> str:
        """`for chat`, `for email drafts`."""
        if self == Purpose.EMBEDDING:
            return "for embedding"
        return "for chat" if self == Purpose.CHAT else f"for {OPERATION_LABELS[self.value].lower()}"

    @property
    def label(self) -> str:
        return {Purpose.CHAT: "Chat", Purpose.EMBEDDING: "Embedding"}.get(self) or OPERATION_LABELS[self.value]


_SAME = "The chat model"
PER_OPERATION = tuple(Purpose(operation) for operation in CHAT_OPERATIONS)


@dataclass(frozen=True, slots=True)
class Choosing:
    """What this organisation can take models into use with: asked once for a whole page of them."""

    config: EffectiveConfig
    is_allowed: bool

    @property
    def usable_providers(self) -> frozenset[str]:
        """Providers that calls of this organisation can reach: those of its keys, and the platform's by default."""
        own = frozenset(self.config.credentials)
        return own | {settings.PLATFORM_PROVIDER} if self.config.provider == PLATFORM_DEFAULT else own

    def purposes_for(self, model: CatalogModel) -> tuple[Purpose, ...]:
        """For what this model can be taken."""
        return tuple(purpose for purpose in Purpose if not self.refusal(model, purpose))

    def refusal(self, model: CatalogModel, purpose: Purpose) -> str:
        """Why this model cannot be taken for `purpose`, as a sentence; empty where it can."""
        config, route, label = self.config, model.route, provider_label(model.route)
        if not self.is_allowed:
            return "Own keys are not enabled for this organisation: the platform chooses the models."
        if route not in REGISTRY:
            return f"{label}: models there cannot be used."
        if model.is_retired:
            return "This model answers no more."
        if purpose == Purpose.EMBEDDING:
            if model.kind != ModelKind.EMBEDDING or not REGISTRY[route].offers_embeddings:
                return "This model makes no embeddings."
            if config.provider not in REGISTRY:
                return "The platform's AI brings its own embeddings. Choose a chat model with a key of yours first."
        elif model.kind != ModelKind.CHAT:
            return "This model does not chat."
        if route not in config.credentials and route != config.provider:
            return f"Save a key for {label} first: calls to this model are paid with it."
        if purpose in PER_OPERATION and route != config.provider:
            return f"A model per operation has to be one of {provider_label(config.provider)}, the provider in use."
        return ""

    def in_use_for(self, model: CatalogModel) -> tuple[Purpose, ...]:
        """What it is used for now."""
        return tuple(
            Purpose(each.purpose)
            for each in chosen_models(self.config, with_platform=True)
            if (each.route, each.model_id) == (model.route, model.model_id)
        )


def choosing_of(organization: Organization, config: EffectiveConfig) -> Choosing:
    return Choosing(config, byok_allowed(organization))


def values_with(config: EffectiveConfig, model: CatalogModel, purpose: Purpose) -> dict[str, Any]:
    """The arguments of `save_ai_config` that take `model` into use; everything else stays as it is.

    Taken for chat at another provider, that provider becomes the one in use, with the key stored for it.
    """
    if purpose == Purpose.CHAT:
        return setup_for(config, model.route) | {"chat_model": model.model_id}
    values = setup_for(config, config.provider)
    if purpose == Purpose.EMBEDDING:
        return values | {"embedding_provider": model.route, "embedding_model": model.model_id}
    operations = {name: chosen for name, chosen in config.operation_models.items() if name != purpose.value}
    if model.model_id != REGISTRY[model.route].model_id(config.chat_model):
        # Only what differs from the chat model is stored.
        operations[purpose.value] = model.model_id
    return values | {"operation_models": operations}


def changes_by(organization: Organization, config: EffectiveConfig, values: dict[str, Any]) -> list[Difference]:
    """What saving `values` would change: now, and then, in the words of the settings page."""
    alert = cost_alert_of(organization)
    same = values["provider"] == config.provider
    kept = {
        "operation_models": config.operation_models if same else {},
        "further_models": config.further_models if same else {},
        "fallback": config.fallback,
    }
    found = differences_between(config, alert, {**kept, **values})
    general = {f"{OPERATION_LABELS[name]}: model" for name in CHAT_OPERATIONS}
    # An operation without a model of its own is not without a model.
    return [
        Difference(
            each.label,
            _SAME if each.label in general and each.theirs == NOT_CHOSEN else each.theirs,
            _SAME if each.label in general and each.yours == NOT_CHOSEN else each.yours,
        )
        for each in found
    ]


def notes_on(config: EffectiveConfig, model: CatalogModel, purpose: Purpose) -> list[str]:
    """What else to know before saving, in sentences."""
    notes = []
    if purpose == Purpose.CHAT and model.route == config.provider:
        kept = [OPERATION_LABELS[name].lower() for name in CHAT_OPERATIONS if config.operation_models.get(name)]
        if kept:
            notes.append(f"Operations with a model of their own keep it: {', '.join(kept)}.")
    if purpose == Purpose.CHAT and model.route != config.provider:
        notes.append(f"Calls are then paid with your {provider_label(model.route)} key.")
    if purpose == Purpose.EMBEDDING:
        notes.append("Documents are found by the model that prepared them: prepare them again after the change.")
    if model.is_retiring and model.retired_on is not None:
        notes.append(f"This model answers only until {model.retired_on:%-d %B %Y}.")
    return notes
