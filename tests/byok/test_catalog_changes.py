"""What happened to a model, as one organisation may know it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from byok.catalog.history import PriceStep, events_of
from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.models import CatalogModel
from leadagent.tenants.models import Organization
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

ONE = ListedModel(
    route="openrouter",
    model_id="acme/one",
    vendor="acme",
    name="One",
    kind="chat",
    prices={"input_price": Decimal("0.1"), "output_price": Decimal(15)},
    price_source="openrouter 2026-11-26",
    source="openrouter",
    checked_on=date(2026, 11, 26),
)
TUNED = replace(ONE, route="openai", model_id="ft:gpt:acme::1", name="Tuned", source="openai")


@pytest.fixture(autouse=True)
def changed(organization: Organization) -> None:
    """A new price, an own model that came second and went, then a last day and a model that is new."""
    CatalogModel.objects.all().delete()
    merge([ONE], source="openrouter", route="openrouter")
    merge(
        [replace(ONE, prices={"input_price": Decimal("0.25"), "cache_read_price": Decimal(1)})],
        source="openrouter",
        route="openrouter",
    )
    merge([TUNED], source="openai", route="openai", organization=organization)
    merge([], source="openai", route="openai", organization=organization)
    merge(
        [
            replace(ONE, source="packaged", retired_on=date(2027, 1, 5), successor="acme/two"),
            replace(ONE, source="packaged", model_id="acme/two", name="Two"),
        ],
        source="packaged",
        route="openrouter",
    )


def test_what_happened_to_a_model_newest_first(organization: Organization) -> None:
    last_day, price = events_of(organization, CatalogModel.objects.get(model_id="acme/one"))
    assert (last_day.label, last_day.steps, last_day.detail) == (
        "Retirement announced",
        [],
        "on 2027-01-05, in its place: acme/two",
    )
    assert (price.label, price.detail) == ("New price", "")
    assert price.steps == [
        PriceStep("input", Decimal("0.1"), Decimal("0.25")),
        PriceStep("output", Decimal(15), None),
        PriceStep("cache read", None, Decimal(1)),
    ]


def test_what_happened_to_somebody_elses_own_model_stays_theirs(organization: Organization) -> None:
    tuned = CatalogModel.objects.get(model_id="ft:gpt:acme::1")
    assert [event.label for event in events_of(organization, tuned)] == ["No longer listed"]
    assert events_of(OrganizationFactory(), tuned) == []
