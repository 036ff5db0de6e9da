"""Models that an organisation has chosen and whose last day is known, come or to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from byok.catalog.chosen import chosen_models
from byok.config import EffectiveConfig
from byok.models import CatalogModel
from leadagent.tenants.models import Organization


@dataclass(frozen=True, slots=True)
class EndingModel:
    """`name` as it is stored; `successor` is empty where the provider names none."""

    name: str
    retired_on: date
    successor: str

    @property
    def sentence(self) -> str:
        """What happens, when, and what to do."""
        # No leading zero, on every platform.
        day = f"{self.retired_on.day} {self.retired_on:%B %Y}"
        if self.retired_on <= timezone.now().date():
            happens = f"{self.name} was switched off by its provider on {day}: calls of it are refused."
        else:
            happens = f"{self.name} is switched off by its provider on {day}."
        instead = f"{self.successor}, which follows it, or another one" if self.successor else "another model"
        return f"{happens} Choose {instead}."


def ending_models(organization: Organization, config: EffectiveConfig) -> list[EndingModel]:
    """What of the chosen models ends, soonest first. One query; none for the platform's own AI."""
    chosen = {(each.route, each.model_id): each.name for each in chosen_models(config)}
    if not chosen:
        return []
    rows = CatalogModel.objects.visible_to(organization).filter(
        model_id__in={model_id for _, model_id in chosen}, retired_on__isnull=False
    )
    found = {
        name: EndingModel(name, row.retired_on, row.successor)
        for row in rows
        if row.retired_on is not None and (name := chosen.get((row.route, row.model_id)))
    }
    return sorted(found.values(), key=lambda model: (model.retired_on, model.name))
