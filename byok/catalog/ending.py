"""Models that an organisation has chosen, or lets take over, and whose last day is known, come or to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from byok.catalog.places import ModelPlace, in_words, model_places
from byok.config.ai_config import EffectiveConfig
from byok.models import CatalogModel
from leadagent.tenants.models import Organization


@dataclass(frozen=True, slots=True)
class EndingModel:
    """`name` as it is stored; `successor` is empty where the provider names none; `places` are where it is named."""

    name: str
    retired_on: date
    successor: str
    places: list[ModelPlace]

    @property
    def change_url(self) -> str:
        """The first of its fields, on the settings page."""
        return f"#{self.places[0].anchor}"

    @property
    def sentence(self) -> str:
        """What happens, when, and what to do."""
        day = f"{self.retired_on:%-d %B %Y}"
        if self.retired_on <= timezone.now().date():
            happens = f"{self.name} was switched off by its provider on {day}: calls of it are refused."
        else:
            happens = f"{self.name} is switched off by its provider on {day}."
        instead = f"{self.successor}, which follows it, or another one" if self.successor else "another model"
        return f"{happens} It is your {in_words(self.places)}. Choose {instead}."


def ending_models(organization: Organization, config: EffectiveConfig) -> list[EndingModel]:
    """What of the models that may be asked ends, soonest first. One query; none for the platform's own AI."""
    chosen: dict[tuple[str, str], list[ModelPlace]] = {}
    for place in model_places(config):
        chosen.setdefault((place.route, place.model_id), []).append(place)
    if not chosen:
        return []
    rows = CatalogModel.objects.visible_to(organization).filter(
        model_id__in={model_id for _, model_id in chosen}, retired_on__isnull=False
    )
    found = {
        places[0].name: EndingModel(places[0].name, row.retired_on, row.successor, places)
        for row in rows
        if row.retired_on is not None and (places := chosen.get((row.route, row.model_id)))
    }
    return sorted(found.values(), key=lambda model: (model.retired_on, model.name))
