"""Models of the catalog as pages show them: with their marks, what they are good at, and what one may do with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q

from byok.catalog.badges import Badge, badges_of, best_for
from byok.catalog.paging import with_marks
from byok.catalog.selecting import PER_OPERATION, Choosing, Purpose
from byok.catalog.vendors import vendor_label
from byok.models import Capability, CatalogModel
from byok.provider_names import provider_label
from leadagent.tenants.models import Organization

_SHORT = 170


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. `purposes`: what the reader may take it for (none for those who may not choose models)."""

    model: CatalogModel
    badges: list[Badge]
    best_for: str
    in_use_for: tuple[Purpose, ...]
    purposes: tuple[Purpose, ...]

    @property
    def reference(self) -> str:
        """The model in one word, as addresses name it: `openrouter:openai/gpt-5`."""
        return reference_of(self.model)

    @property
    def vendor_label(self) -> str:
        return vendor_label(self.model.vendor)

    @property
    def provider_label(self) -> str:
        return provider_label(self.model.route)

    @property
    def capability_labels(self) -> list[str]:
        return [str(Capability(name).label) for name in Capability.values if name in self.model.capabilities]

    @property
    def summary(self) -> str:
        """The description's beginning, whole sentences where they are short enough."""
        text = " ".join(self.model.description.split())
        if len(text) <= _SHORT:
            return text
        sentence = text.find(". ", 40, _SHORT)
        return text[: sentence + 1] if sentence > 0 else f"{text[:_SHORT].rsplit(' ', 1)[0]} …"

    @property
    def in_use(self) -> str:
        """`Chat, Research`; empty for a model that is not in use."""
        return ", ".join(purpose.label for purpose in self.in_use_for)

    @property
    def for_chat(self) -> bool:
        return Purpose.CHAT in self.purposes and Purpose.CHAT not in self.in_use_for

    @property
    def for_embedding(self) -> bool:
        return Purpose.EMBEDDING in self.purposes and Purpose.EMBEDDING not in self.in_use_for

    @property
    def for_one_operation(self) -> bool:
        return any(purpose in self.purposes for purpose in PER_OPERATION)


def cards_of(models: Iterable[CatalogModel], choosing: Choosing, *, may_select: bool) -> list[ModelCard]:
    """Cards of rows that `byok.catalog.paging.with_marks` has read."""
    today = datetime.now(UTC).date()
    return [
        ModelCard(
            model=model,
            badges=badges_of(
                model,
                today=today,
                is_recommended=getattr(model, "is_recommended", False),
                popular_from=getattr(model, "popular_from", None),
            ),
            best_for=_sentence(best_for(model)),
            in_use_for=choosing.in_use_for(model),
            purposes=choosing.purposes_for(model) if may_select else (),
        )
        for model in models
    ]


def models_named(organization: Organization, references: Iterable[str]) -> list[CatalogModel]:
    """The models of these references (`provider:model_id`) that the organisation may see, in their order. One query."""
    wanted = list(dict.fromkeys(reference for reference in references if "\0" not in reference))
    named = Q(pk__in=[])
    for reference in wanted:
        route, _, model_id = reference.partition(":")
        named |= Q(route=route, model_id=model_id)
    # NULLs come last: read backwards, an organisation's own row takes the place of everybody's.
    rows = with_marks(CatalogModel.objects.visible_to(organization).filter(named)).order_by("organization_id")
    found = {reference_of(row): row for row in reversed(rows)}
    return [found[reference] for reference in wanted if reference in found]


def reference_of(model: CatalogModel) -> str:
    return f"{model.route}:{model.model_id}"


def _sentence(parts: list[str]) -> str:
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]
