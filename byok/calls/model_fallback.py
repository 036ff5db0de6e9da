"""Going on with another model of the organisation's own choice, on the same key, when the first cannot answer now.

Only troubles of the model count: its provider limits it, it is down, or it is gone. A key
that is refused, a budget that is spent or a text that is refused would stop every model,
and the organisation's own limit per minute is no trouble of any model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from byok.config.ai_config import EffectiveConfig
from byok.errors import AIError
from byok.providers import REGISTRY
from leadagent.telemetry.figures import count_fallback

T = TypeVar("T")

# The model's troubles, as the end of a sentence: "… because {reason}."
REASONS = {
    "rate_limited": "{provider} limited the requests to {model}",
    "overloaded": "{provider} could not serve {model} at that moment",
    "timeout": "{model} did not answer in time",
    "model_not_found": "{provider} does not offer {model} to this key",
}
# A rate limit that passes this soon is waited for once before another model is asked.
SHORT_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class OwnModel:
    """The wish to resolve another model than the chosen one, at the organisation's own provider and on its own key.

    `error` is what ended the model before it, `reason` the same as it follows "because". Without
    an error a person chose the model for this run.
    """

    model: str
    error: AIError | None = None
    reason: str = ""


class FailedOnOwnModel(AIError):
    """Another own model (`instead`) was asked after the first one, and the work failed all the same."""

    instead: OwnModel


def is_of_the_model(error: AIError) -> bool:
    """Whether another model on the same key may do what ended with `error`."""
    # Without a status nobody but ourselves has limited anything.
    return error.code in REASONS and not (error.code == "rate_limited" and error.status is None)


def on_own_models(
    config: EffectiveConfig,
    operation: str,
    work: Callable[[OwnModel | None], T],
    *,
    patient: bool = False,
) -> tuple[T, OwnModel | None]:
    """Do `work` on the operation's model and, where that cannot answer now, on the further ones in their order.

    `patient`: a short rate limit of the first is raised, for the caller to wait and come back. Returns
    what `work` gave and the model that gave it, None for the first. Raises `AIError`;
    `FailedOnOwnModel` where others were asked too.
    """
    try:
        return work(None), None
    except AIError as failed:
        if patient and _passes_soon(failed):
            raise
        errors = [failed]
    instead = None
    asked = config.meant_model(operation)
    for model in config.further_models_for(operation):
        if not is_of_the_model(errors[-1]):
            break
        instead = OwnModel(model, errors[-1], _reason(errors[-1], asked))
        count_fallback(operation=operation, to="own_model", reason=errors[-1].code)
        try:
            return work(instead), instead
        except AIError as failed:
            errors.append(failed)
        asked = model
    raise _the_worst(errors, instead)


def _passes_soon(error: AIError) -> bool:
    return error.code == "rate_limited" and (error.retry_after or 0) <= SHORT_WAIT_SECONDS


def _reason(error: AIError, model: str) -> str:
    label = REGISTRY[error.provider].label if error.provider in REGISTRY else "The provider"
    return REASONS[error.code].format(provider=label, model=model)


def _the_worst(errors: list[AIError], instead: OwnModel | None) -> AIError:
    """What the caller is told: what no model would mend, else what passes by itself, else the first."""
    if instead is None:
        return errors[0]
    last = errors[-1]
    told, also = last, ""
    if is_of_the_model(last):
        told = next((error for error in errors if not error.permanent), errors[0])
        others = len(errors) - 1
        also = f" {others} further model{'s' if others > 1 else ''} could not answer either."
    waits = [error.retry_after for error in errors if error.retry_after is not None]
    raised = FailedOnOwnModel.like(told, sentence=told.sentence + also)
    raised.retry_after = min(waits) if waits and not told.permanent else None
    raised.instead = instead
    return raised
