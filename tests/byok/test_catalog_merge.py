"""What a provider's list changes in the catalog: what wins, what is marked, what is noted, what is left alone."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.models import CatalogChange, CatalogModel, ChangeKind, DatedPrice, SyncOutcome
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

FLAGSHIP = ListedModel(
    route="openrouter",
    model_id="acme/flagship",
    vendor="acme",
    name="Flagship",
    kind="chat",
    context_window=100_000,
    capabilities=("tools",),
    released_on=date(2026, 1, 1),
    retired_on=date(2027, 6, 1),
    successor="acme/next",
    prices={"input_price": Decimal("3"), "output_price": Decimal("15")},
    price_source="genai-prices 1",
    source="packaged",
    checked_on=date(2026, 11, 1),
)
LIVE = replace(
    FLAGSHIP,
    source="openrouter",
    context_window=200_000,
    capabilities=None,
    released_on=None,
    retired_on=None,
    successor="",
    prices={"input_price": Decimal("2.5"), "output_price": Decimal("15")},
    price_source="openrouter 2026-11-26",
    checked_on=date(2026, 11, 26),
)


@pytest.fixture(autouse=True)
def empty() -> None:
    CatalogModel.objects.all().delete()


def live(*models: ListedModel, **options: Any) -> Any:
    return merge(models, source="openrouter", route="openrouter", **options)


def packaged(*models: ListedModel) -> Any:
    return merge(models, source="packaged", route="openrouter")


def changes() -> list[tuple[str, str]]:
    return list(CatalogChange.objects.order_by("pk").values_list("model_id", "kind"))


def test_a_live_list_wins_where_it_tells_and_leaves_the_rest() -> None:
    packaged(FLAGSHIP)
    sync = live(LIVE)
    row = CatalogModel.objects.get()
    assert (row.context_window, row.input_price, row.price_source) == (200_000, Decimal("2.5"), "openrouter 2026-11-26")
    assert (row.capabilities, row.released_on, row.retired_on) == (["tools"], date(2026, 1, 1), date(2027, 6, 1))
    assert (row.source, row.checked_on) == ("openrouter", date(2026, 11, 26))
    assert changes() == [("acme/flagship", ChangeKind.REPRICED)]
    change = CatalogChange.objects.get()
    assert (change.before["input_price"], change.after["input_price"]) == ("3", "2.5")
    assert change.before["cache_read_price"] is None
    assert (sync.outcome, sync.listed, sync.repriced) == (SyncOutcome.CHANGED, 1, 1)


def test_packaged_facts_take_nothing_back_from_a_live_list() -> None:
    live(LIVE)
    packaged(replace(FLAGSHIP, retired_on=date(2026, 12, 24)))
    row = CatalogModel.objects.get()
    assert (row.context_window, row.input_price, row.source) == (200_000, Decimal("2.5"), "openrouter")
    # What the list does not tell is taken in all the same.
    assert (row.retired_on, row.successor) == (date(2026, 12, 24), "acme/next")
    assert changes() == [("acme/flagship", ChangeKind.RETIRED)]


def test_what_a_list_leaves_out_is_marked_and_comes_back() -> None:
    other = replace(LIVE, model_id="acme/other")
    live(LIVE, other)
    live(other)
    gone = CatalogModel.objects.get(model_id="acme/flagship")
    assert gone.vanished_at is not None
    assert gone not in CatalogModel.objects.offered()
    live(LIVE, other)
    assert CatalogModel.objects.get(model_id="acme/flagship").vanished_at is None
    assert changes() == [("acme/flagship", ChangeKind.REMOVED), ("acme/flagship", ChangeKind.RESTORED)]


def test_a_part_of_a_list_takes_nothing_away() -> None:
    live(LIVE, replace(LIVE, model_id="acme/other"))
    live(LIVE, is_complete=False)
    assert not CatalogModel.objects.exclude(vanished_at=None).exists()


def test_the_same_again_changes_nothing_but_the_day() -> None:
    live(LIVE)
    before = CatalogModel.objects.values().get()
    sync = live(replace(LIVE, checked_on=date(2026, 11, 27)))
    after = CatalogModel.objects.values().get()
    assert after == before | {"checked_on": date(2026, 11, 27)}
    assert (sync.outcome, changes()) == (SyncOutcome.UNCHANGED, [])


def test_the_first_list_is_no_news_and_a_later_model_is() -> None:
    assert live(LIVE).added == 1
    assert changes() == []
    assert live(LIVE, replace(LIVE, model_id="acme/new")).added == 1
    assert changes() == [("acme/new", ChangeKind.ADDED)]


def test_an_unknown_price_is_null_and_never_zero() -> None:
    live(replace(LIVE, prices={"input_price": Decimal("2.5")}))
    row = CatalogModel.objects.get()
    assert (row.output_price, row.tier) == (None, "")


def test_live_prices_are_dated_once_per_change() -> None:
    live(LIVE)
    live(LIVE)
    live(replace(LIVE, prices={"input_price": Decimal("2"), "output_price": Decimal("15")}))
    packaged(FLAGSHIP)
    prices = DatedPrice.objects.order_by("effective_from")
    assert [price.input_price for price in prices] == [Decimal("2.5"), Decimal("2")]
    assert all(price.organization_id is None and price.source == "openrouter 2026-11-26" for price in prices)


def test_tier_and_speed_follow_the_price_and_the_name() -> None:
    live(LIVE, replace(LIVE, model_id="acme/flagship-mini"))
    assert list(CatalogModel.objects.order_by("model_id").values_list("tier", "is_fast")) == [
        ("premium", False),
        ("balanced", True),
    ]


def test_an_organisations_own_models_are_apart() -> None:
    acme = OrganizationFactory()
    public = replace(LIVE, route="openai", model_id="gpt", source="openai")
    own = replace(public, model_id="ft:gpt:acme::1")
    merge([public], source="openai", route="openai")
    merge([own], source="openai", route="openai", organization=acme)
    assert not CatalogModel.objects.exclude(vanished_at=None).exists()
    visible = CatalogModel.objects.visible_to(acme).values_list("model_id", flat=True)
    assert set(visible) == {"gpt", "ft:gpt:acme::1"}
    assert CatalogModel.objects.visible_to(OrganizationFactory()).get().model_id == "gpt"
    merge([], source="openai", route="openai", organization=acme)
    assert CatalogModel.objects.get(organization=acme).vanished_at is not None
    assert CatalogModel.objects.get(organization=None).vanished_at is None


def test_a_model_that_a_list_names_twice_is_one() -> None:
    live(LIVE, replace(LIVE, name="Flagship again"))
    assert CatalogModel.objects.get().name == "Flagship again"
