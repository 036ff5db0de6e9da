"""Recent changes of the catalog as one organisation may know them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from byok.catalog.changes import PriceChange, recent_changes
from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.models import CatalogModel, ChangeKind
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


def test_what_changed_newest_first(organization: Organization) -> None:
    found = recent_changes(organization)
    assert [(change.model_id, change.name, change.kind, change.is_own) for change in found] == [
        ("acme/two", "Two", ChangeKind.ADDED, False),
        ("acme/one", "One", ChangeKind.RETIRED, False),
        ("ft:gpt:acme::1", "Tuned", ChangeKind.REMOVED, True),
        ("acme/one", "One", ChangeKind.REPRICED, False),
    ]
    assert (found[1].retired_on, found[1].successor, found[1].prices) == (date(2027, 1, 5), "acme/two", ())
    assert found[3].prices == (
        PriceChange("input_price", Decimal("0.1"), Decimal("0.25")),
        PriceChange("output_price", Decimal(15), None),
        PriceChange("cache_read_price", None, Decimal(1)),
    )
    assert (found[3].retired_on, found[3].successor, found[3].label) == (None, "", "New price")


def test_somebody_elses_own_models_stay_theirs() -> None:
    assert "ft:gpt:acme::1" not in {change.model_id for change in recent_changes(OrganizationFactory())}


def test_the_limit_takes_the_newest_with_two_queries(
    organization: Organization, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        found = recent_changes(organization, 2)
    assert [change.kind for change in found] == [ChangeKind.ADDED, ChangeKind.RETIRED]
