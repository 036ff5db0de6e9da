"""Where in an organisation's configuration a model stands, in words, and which field of the page changes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from byok.catalog.chosen import chosen_models, further_models
from byok.catalog.recommendations import OPERATION_LABELS
from byok.config.ai_config import EffectiveConfig
from byok.models import AIConfig

_ORDINALS = ("second", "third", "fourth")
# Embeddings that take over are set by the API alone: the page has no field for them.
_NOT_ON_THE_PAGE = "embedding"


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """`words` follow "your"; `anchor` is the field's id on the settings page. `name`: the model as it is stored."""

    words: str
    anchor: str
    route: str
    model_id: str
    name: str


def model_places(config: AIConfig | EffectiveConfig) -> Iterator[ModelPlace]:
    """Every place with a model, those that are asked first before those that take over."""
    for each in chosen_models(config):
        if each.purpose in {"chat", "embedding"}:
            words, field = f"{each.purpose} model", f"{each.purpose}_model"
        else:
            words, field = f"model for {_label(each.purpose)}", f"model_{each.purpose}"
        yield ModelPlace(words, f"id_{field}", each.route, each.model_id, each.name)
    counts: dict[str, int] = {}
    for each in further_models(config):
        place = counts[each.purpose] = counts.get(each.purpose, 0) + 1
        ordinal = _ORDINALS[place - 1] if place <= len(_ORDINALS) else "further"
        field = "part-further" if each.purpose == _NOT_ON_THE_PAGE else f"id_further_{each.purpose}_{place}"
        yield ModelPlace(f"{ordinal} model for {_label(each.purpose)}", field, each.route, each.model_id, each.name)


def in_words(places: list[ModelPlace]) -> str:
    """All of them in one phrase: "second model for research and third model for email drafts"."""
    words = [place.words for place in places]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _label(operation: str) -> str:
    return OPERATION_LABELS[operation].lower() if operation in OPERATION_LABELS else operation
