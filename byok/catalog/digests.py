"""What a digest of changes tells an organisation: each with its effect on the organisation's own last days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from byok.catalog.effect import DAYS, recent_tokens
from byok.catalog.places import ModelPlace, in_words, model_places
from byok.models import AIConfig, CatalogChange, CatalogDigest, CatalogModel, ChangeKind, PriceColumns
from byok.providers import REGISTRY
from usage.formats import money


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One line of a digest. Costs are US dollars over the last 30 days' tokens; None is unknown."""

    kind: str
    provider: str
    model_id: str
    requests: int = 0
    cost_before: Decimal | None = None
    cost_after: Decimal | None = None
    retired_on: date | None = None
    successor: str = ""
    # Where the organisation names it now; empty where it only used it.
    places: list[ModelPlace] = field(default_factory=list)

    @property
    def places_in_words(self) -> str:
        return in_words(self.places)

    @property
    def percent(self) -> str:
        """The change with its sign, such as "+25 %"; empty where it cannot be told."""
        if not self.cost_before or self.cost_after is None:
            return ""
        return f"{(self.cost_after - self.cost_before) / self.cost_before:+.0%}".replace("%", " %")

    @property
    def sentence(self) -> str:
        """For channels that take plain text."""
        listed = f", your {self.places_in_words}," if self.places else ""
        model = f"{self.model_id} ({self.provider}){listed}"
        match self.kind:
            case ChangeKind.REPRICED if self.requests:
                cost = f"{money(self.cost_before)} before, {money(self.cost_after)} now"
                return f"{model} has a new price: your last {DAYS} days cost {cost}."
            case ChangeKind.REPRICED:
                return f"{model} has a new price."
            case ChangeKind.RETIRED:
                last = f" on {self.retired_on:%-d %B %Y}" if self.retired_on else ""
                instead = f"; {self.successor} takes its place" if self.successor else ""
                return f"{model} ends{last}{instead}."
            case _:
                return f"{model} is no longer listed."


def lines_of(digest: CatalogDigest) -> list[ToldChange]:
    """The digest's lines, one per change, with the effect on the organisation's own last 30 days."""
    config = AIConfig.objects.filter(organization_id=digest.organization_id).first()
    places = list(model_places(config)) if config is not None else []
    return [_line(digest.organization_id, change, places) for change in digest.changes.order_by("pk")]


def _line(organization_id: int, change: CatalogChange, places: list[ModelPlace]) -> ToldChange:
    row = (
        CatalogModel.objects.filter(route=change.route, model_id=change.model_id, organization=change.organization)
        .order_by("pk")
        .first()
    )
    tokens = recent_tokens(organization_id, change.route, change.model_id)
    is_price = change.kind == ChangeKind.REPRICED
    return ToldChange(
        kind=change.kind,
        provider=REGISTRY[change.route].label if change.route in REGISTRY else change.route,
        model_id=change.model_id,
        requests=tokens.requests,
        cost_before=tokens.cost_at(_prices(change.before)) if is_price else None,
        cost_after=tokens.cost_at(_prices(change.after)) if is_price else None,
        retired_on=row.retired_on if row else None,
        successor=row.successor if row else "",
        places=[place for place in places if (place.route, place.model_id) == (change.route, change.model_id)],
    )


def _prices(values: dict[str, str | None]) -> dict[str, Decimal | None]:
    return {name: None if (text := values.get(name)) is None else Decimal(text) for name in PriceColumns.PRICES}
