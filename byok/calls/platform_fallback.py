"""Going on with the platform's AI when an organisation's own key fails: by its consent, per operation, or not at all.

Before that come the organisation's own further models (`byok.calls.model_fallback`), for troubles of a model.

Only troubles of the own key count. What would fail on any key (refused content, a text that
is too long), what passes by itself, and what the organisation limited on purpose do not.
The consent is enforced by `byok.resolver`, which asks here: nobody reaches the platform's
key for an organisation with a provider of its own by another way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from byok.calls.model_fallback import OwnModel, on_own_models
from byok.config.ai_config import EffectiveConfig, get_ai_config
from byok.config.values import OPERATIONS, compares_with
from byok.errors import AIError
from byok.models import PLATFORM_DEFAULT, CredentialStatus, FallbackConsent
from byok.providers import REGISTRY
from leadagent.telemetry.figures import count_fallback
from leadagent.tenants.models import Organization

__all__ = [
    "REASONS",
    "Allowed",
    "Ask",
    "Decision",
    "FailedOnPlatform",
    "Fallback",
    "No",
    "OnPlatform",
    "decide",
    "operations_to_grant",
    "own_key_first",
    "own_provider",
    "platform_instead",
]

T = TypeVar("T")

# The own key's troubles, as the end of a sentence: "… because {reason}."
REASONS = {
    "config_missing": "no usable key is saved for {provider}",
    "key_unreadable": "the saved key for {provider} can no longer be opened",
    "invalid_key": "{provider} refused the key",
    "missing_scope": "the key at {provider} lacks a permission",
    "no_credit": "the account at {provider} has no credit left",
    "key_limit": "the key has reached its spending limit at {provider}",
}

_NOT_SET_UP = "The platform's AI cannot take over: it is not set up here."
_OTHER_MODEL = (
    "The platform's AI cannot take over here: it has another embedding model, and what two models make of a text "
    "does not compare."
)
_PLATFORM_KEY_FAILS = "The platform's AI could not take over: its own key does not work at the moment."


@dataclass(frozen=True, slots=True)
class Allowed:
    """The platform's AI may do this one. `reason` ends "… because …"; `code` is the own key's trouble."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """It may once a person has said so. `reason` as in `Allowed`."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class No:
    """It may not. `sentence` is for an admin: the error's own, and why nothing takes over where that is not plain."""

    sentence: str


Decision = Allowed | Ask | No


@dataclass(frozen=True, slots=True)
class OnPlatform:
    """The wish to resolve the platform's AI in place of the own key: because of what, and whether a person granted it.

    A wish only: `byok.resolver` checks the consent itself. `reason` is the error's as it follows "because".
    """

    error: AIError
    granted: bool = False
    reason: str = ""


# What the resolver may be asked for in place of the configured model.
Fallback = OnPlatform | OwnModel


class FailedOnPlatform(AIError):
    """The platform's AI took over (`taken_over` says why) and gave no answer either."""

    taken_over: Allowed


def platform_instead(organization: Organization, operation: str, error: AIError, *, granted: bool = False) -> Decision:
    """Whether the platform's AI may do `operation` after the own key ended it with `error`.

    `granted`: a person has decided so for this one run, search or document. That counts
    where the organisation says "ask", never where it says "never".
    """
    return decide(get_ai_config(organization), operation, error, granted=granted)


def decide(config: EffectiveConfig, operation: str, error: AIError, *, granted: bool = False) -> Decision:
    """As `platform_instead`, for a configuration that has been read already."""
    own = own_provider(config, operation)
    consent = config.consent_for(operation)
    # An error of the platform's own AI is nothing that the platform's AI could help with.
    if error.code not in REASONS or not own or error.provider != own or consent is FallbackConsent.NEVER:
        return No(error.sentence)
    if not settings.PLATFORM_KEYS[settings.PLATFORM_PROVIDER]:
        return No(f"{error.sentence} {_NOT_SET_UP}")
    if operation == "embedding" and not _embeds_alike(config):
        return No(f"{error.sentence} {_OTHER_MODEL}")
    label = REGISTRY[own].label if own in REGISTRY else "the chosen provider"
    reason = REASONS[error.code].format(provider=label)
    if consent is FallbackConsent.ALLOW or granted:
        return Allowed(error.code, reason)
    return Ask(error.code, reason)


def operations_to_grant(organization: Organization, operation: str, code: str) -> list[str]:
    """What a person may grant the platform's AI for, when `operation` stopped with `code`: all that is set to "ask".

    Empty where there is nothing to decide.
    """
    config = get_ai_config(organization)
    if code not in REASONS:
        return []
    stopped_by = AIError(code, provider=own_provider(config, operation))
    if not isinstance(decide(config, operation, stopped_by), Ask):
        return []
    return [name for name in OPERATIONS if config.consent_for(name) is FallbackConsent.ASK]


def own_key_first(
    organization: Organization,
    operation: str,
    work: Callable[[Fallback | None], T],
    *,
    granted: bool = False,
    patient: bool = False,
) -> tuple[T, Fallback | None]:
    """Do `work` on the own key and, where that fails and the consent allows, once more on the platform's AI.

    On the own key the organisation's further models are asked where the first cannot answer (for `patient` see
    `byok.calls.model_fallback`). `work` takes what it has to hand to the resolver. A key that is known to be
    refused is not tried again first. Returns what `work` gave, and the fallback that gave it.
    Raises `AIError`; `FailedOnPlatform` where the platform's AI was asked and failed too,
    `FailedOnOwnModel` where another own model was the last to fail.
    """
    config = get_ai_config(organization)
    error = _known_refusal(config, operation)
    decision = decide(config, operation, error, granted=granted) if error else None
    if error is None or not isinstance(decision, Allowed):
        try:
            return on_own_models(config, operation, work, patient=patient)
        except AIError as failed:
            error = failed
        decision = platform_instead(organization, operation, error, granted=granted)
    if isinstance(decision, No) and decision.sentence != error.sentence:
        raise AIError.like(error, sentence=decision.sentence)
    if not isinstance(decision, Allowed):
        raise error
    fallback = OnPlatform(error, granted, decision.reason)
    count_fallback(operation=operation, to="platform", reason=error.code)
    try:
        return work(fallback), fallback
    except AIError as failed:
        raise _failed_on_platform(failed, error, decision) from None


def own_provider(config: EffectiveConfig, operation: str) -> str:
    """The provider that the organisation chose for `operation`; empty where that is the platform, or none."""
    chosen = config.provider_for(operation)
    return "" if chosen == PLATFORM_DEFAULT else chosen


def _embeds_alike(config: EffectiveConfig) -> bool:
    platform = REGISTRY[settings.PLATFORM_PROVIDER]
    alike = compares_with(config.embedding_model, settings.PLATFORM_EMBEDDING_MODEL)
    return platform.offers_embeddings and alike


def _known_refusal(config: EffectiveConfig, operation: str) -> AIError | None:
    """The refusal that the own provider would give again, as far as is known without asking."""
    own = own_provider(config, operation)
    credential = config.credentials.get(own)
    if credential is None or credential.status != CredentialStatus.REJECTED:
        return None
    return AIError("invalid_key", provider=own)


def _failed_on_platform(failed: AIError, own: AIError, decision: Allowed) -> FailedOnPlatform:
    if failed.code in REASONS:
        # The operator's key has a trouble that this organisation cannot mend: its own it can.
        raised = FailedOnPlatform(own.code, provider=own.provider, sentence=f"{own.sentence} {_PLATFORM_KEY_FAILS}")
    else:
        raised = FailedOnPlatform.like(failed)
    raised.taken_over = decision
    return raised
