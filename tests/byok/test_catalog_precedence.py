"""Whose word counts where two sources tell of one model, and what a source that falls silent leaves behind."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from byok.catalog.listing import ListedModel
from byok.catalog.merge import merge
from byok.models import CatalogChange, CatalogModel, CatalogSync, ChangeKind, DatedPrice

pytestmark = pytest.mark.django_db

PACKAGED = ListedModel(
    route="openrouter",
    model_id="acme/one",
    vendor="acme",
    name="One",
    kind="chat",
    prices={"input_price": Decimal(3), "output_price": Decimal(15)},
    price_source="genai-prices 1",
    source="packaged",
    checked_on=date(2026, 11, 1),
)
OTHER = replace(PACKAGED, model_id="acme/two")
LIVE = replace(
    PACKAGED, source="openrouter", price_source="openrouter 2026-11-26", prices={"input_price": Decimal("2.5")}
)
# What OpenRouter says of a model whose price depends on the route.
UNPRICED = replace(LIVE, prices={})
SILENT = replace(LIVE, prices={}, price_source="")


@pytest.fixture(autouse=True)
def empty() -> None:
    CatalogModel.objects.all().delete()


def live(*models: ListedModel, unread: Sequence[str] = ()) -> CatalogSync:
    return merge(models, source="openrouter", route="openrouter", unread=unread)


def packaged(*models: ListedModel) -> CatalogSync:
    return merge(models, source="packaged", route="openrouter")


def kinds(model_id: str) -> list[str]:
    return list(CatalogChange.objects.filter(model_id=model_id).order_by("pk").values_list("kind", flat=True))


def test_packaged_facts_do_not_bring_back_what_the_provider_took_away() -> None:
    packaged(PACKAGED, OTHER)
    for _ in range(2):
        live(LIVE)
        packaged(PACKAGED, OTHER)
    # Or admins would be told with every upgrade that the model is gone.
    assert CatalogModel.objects.get(model_id="acme/two").vanished_at is not None
    assert kinds("acme/two") == [ChangeKind.REMOVED]
    live(LIVE, replace(LIVE, model_id="acme/two", prices=PACKAGED.prices))
    assert kinds("acme/two") == [ChangeKind.REMOVED, ChangeKind.RESTORED]


def test_packaged_facts_bring_back_what_they_left_out_themselves() -> None:
    packaged(PACKAGED, OTHER)
    packaged(PACKAGED)
    packaged(PACKAGED, OTHER)
    assert kinds("acme/two") == [ChangeKind.REMOVED, ChangeKind.RESTORED]
    assert CatalogModel.objects.get(model_id="acme/two").vanished_at is None


def test_an_entry_that_could_not_be_read_is_not_gone() -> None:
    live(LIVE, replace(LIVE, model_id="acme/two"))
    sync = live(LIVE, unread=["acme/two"])
    assert (sync.removed, kinds("acme/two")) == (0, [])
    assert live(LIVE).removed == 1


def test_a_price_that_becomes_unknown_is_unknown_from_then_on() -> None:
    live(LIVE)
    live(UNPRICED)
    row = CatalogModel.objects.get()
    assert (row.input_price, row.tier) == (None, "")
    change = CatalogChange.objects.get()
    assert (change.kind, change.before["input_price"], change.after["input_price"]) == ("repriced", "2.5", None)
    # What a call cost before stays known; what one costs now does not.
    dated = DatedPrice.objects.order_by("effective_from").values_list("input_price", flat=True)
    assert list(dated) == [Decimal("2.5"), None]
    live(UNPRICED)
    assert DatedPrice.objects.count() == 2
    packaged(PACKAGED)
    assert CatalogModel.objects.get().input_price is None


def test_a_list_that_tells_no_price_leaves_the_known_one() -> None:
    packaged(PACKAGED)
    live(SILENT)
    row = CatalogModel.objects.get()
    assert (row.input_price, row.price_source, row.source) == (Decimal(3), "genai-prices 1", "openrouter")
    assert not DatedPrice.objects.exists()
    live(LIVE)
    live(SILENT)
    assert CatalogModel.objects.get().input_price == Decimal("2.5")


def test_packaged_prices_fill_in_where_the_list_told_none() -> None:
    live(SILENT)
    assert CatalogModel.objects.get().input_price is None
    packaged(PACKAGED)
    row = CatalogModel.objects.get()
    assert (row.input_price, row.price_source) == (Decimal(3), "genai-prices 1")
    packaged(replace(PACKAGED, prices={"input_price": Decimal(4)}, price_source="genai-prices 2"))
    assert CatalogModel.objects.get().input_price == Decimal(4)


@pytest.mark.parametrize("is_known_live", [False, True])
def test_a_last_day_that_is_withdrawn_is_over(is_known_live: bool) -> None:
    packaged(replace(PACKAGED, retired_on=date(2027, 1, 1), successor="acme/two"))
    if is_known_live:
        live(LIVE)
    packaged(PACKAGED)
    row = CatalogModel.objects.get()
    assert (row.retired_on, row.successor) == (None, "")
