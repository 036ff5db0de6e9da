"""Reading filters from addresses, finding models, and paging through them by key."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from byok.catalog.facets import facets
from byok.catalog.paging import BadCursor, catalog_page
from byok.catalog.read_filter import read_filter
from byok.catalog.search import PAGE, CatalogFilter, Sort, matching
from byok.models import CatalogModel
from leadagent.tenants.models import Organization
from tests.byok.catalog_rows import add_model, fill_catalog
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.usefixtures("empty_catalog")


def read(query: str) -> CatalogFilter:
    asked = read_filter(QueryDict(query))
    assert asked.errors == {}
    return asked.filter


def test_an_empty_address_asks_for_everything() -> None:
    assert read("") == CatalogFilter() == read("q=&tier=&capability=&min_context=&usable=&cursor=")
    assert CatalogFilter().as_query() == ""
    assert CatalogFilter().active() == []


def test_a_filter_is_written_as_it_is_read() -> None:
    query = (
        "q=claude+sonnet&tier=fast&vendor=anthropic&provider=openrouter&kind=chat&modality=image"
        "&min_context=200000&max_price=0.25&usable=1&retired=1&sort=price&capability=tools&capability=vision"
    )
    wanted = read(query)
    assert wanted.as_query() == query
    assert read(wanted.as_query()) == wanted
    assert {each.name for each in wanted.active()} == set(query.replace("&", "=").split("=")[::2]) - {"sort"}
    without = {each.label: each.without for each in wanted.active()}
    assert without["Tools"].capability == ("vision",)
    assert without["“claude sonnet”"] == read(query.replace("q=claude+sonnet&", ""))


def test_the_place_is_dropped_by_every_change() -> None:
    wanted = read("q=gpt&cursor=abc&limit=7")
    assert wanted.as_query() == "q=gpt"
    assert wanted.as_query(cursor="next") == "q=gpt&cursor=next"
    assert all(each.without.cursor == "" for each in wanted.active())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("128000", 128_000), ("128,000", 128_000), ("200k", 200_000), ("1M", 1_000_000), ("1.5 m", 1_500_000)],
)
def test_contexts_are_written_as_people_do(text: str, tokens: int) -> None:
    assert read(QueryDict("", mutable=True).urlencode() + f"min_context={text}").min_context == tokens


@pytest.mark.parametrize("text", ["3", "3.00", "$3", "0.3e1"])
def test_equal_prices_are_one_filter(text: str) -> None:
    assert read(f"max_price={text}").as_query() == "max_price=3"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("q", "x" * 201), ("q", "a%00b"), ("q", "a%0Ab"), ("tier", "gold"), ("vendor", "x" * 81), ("vendor", "a%00b"),
        ("provider", "nowhere"), ("kind", "image"), ("modality", "smell"), ("capability", "flying"),
        ("min_context", "many"), ("min_context", "-1"), ("min_context", "9999999999"), ("min_context", "2000M"),
        ("min_context", "%D9%A3"), ("max_price", "cheap"), ("max_price", "-1"), ("max_price", "NaN"),
        ("max_price", "Infinity"), ("max_price", "1e99"), ("max_price", "1e-99"), ("max_price", "%D9%A3"),
        ("usable", "perhaps"), ("retired", "2"), ("sort", "random"), ("limit", "0"), ("limit", "201"),
        ("limit", "1e2"), ("limit", "%C2%B2"), ("cursor", "x" * 2001),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_field_and_left_out(field: str, text: str) -> None:
    asked = read_filter(QueryDict(f"{field}={text}&q=gpt" if field != "q" else f"q={text}"))
    assert list(asked.errors) == [field]
    assert asked.errors[field].endswith(".")
    assert asked.filter == CatalogFilter(q="" if field == "q" else "gpt")


# --- finding ---


def found(organization: Organization, query: str, **more: Any) -> set[str]:
    return set(matching(organization, read(query), **more).values_list("model_id", flat=True))


@pytest.fixture
def some(organization: Organization, empty_catalog: None) -> None:
    add_model("anthropic/claude-sonnet", name="Claude Sonnet 5", tier="premium")
    add_model("google/gemini-flash", name="Gemini Flash", tier="cheap", is_fast=True, input_price=Decimal("0.3"),
              context_window=1_048_576, capabilities=["tools"], input_modalities=["text", "audio"])  # fmt: skip
    add_model("openai/dall", kind="other", output_modalities=["image"], input_price=None, context_window=None, tier="")
    add_model("gpt-5", route="openai", vendor="openai")
    add_model("openai/gone", retired_on=timezone.now().date())
    add_model("openai/leaving", retired_on=timezone.now().date() + timedelta(days=1))
    add_model("openai/vanished", vanished_at=timezone.now())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=CLAUDE+5", {"anthropic/claude-sonnet"}),
        ("q=5+openai", {"gpt-5"}),
        ("q=100%25", set()),
        ("q=_", set()),
        ("tier=premium", {"anthropic/claude-sonnet"}),
        ("tier=fast", {"google/gemini-flash"}),
        ("vendor=google", {"google/gemini-flash"}),
        ("provider=openai", {"gpt-5"}),
        ("kind=other", {"openai/dall"}),
        ("modality=audio", {"google/gemini-flash"}),
        ("modality=image-out", {"openai/dall"}),
        ("q=gemini&capability=tools", {"google/gemini-flash"}),
        ("q=gemini&capability=tools&capability=vision", set()),
        ("min_context=1M", {"google/gemini-flash"}),
        ("max_price=0.3", {"google/gemini-flash"}),
        ("max_price=0.29", set()),
        ("q=gone", set()),
        ("q=leaving", {"openai/leaving"}),
        ("q=gone&retired=1", {"openai/gone"}),
        ("q=vanished&retired=1", {"openai/vanished"}),
    ],
)
@pytest.mark.usefixtures("some")
def test_each_filter_narrows(organization: Organization, query: str, expected: set[str]) -> None:
    assert found(organization, query) == expected


@pytest.mark.usefixtures("some")
def test_usable_are_the_providers_that_one_has_a_key_for(organization: Organization) -> None:
    assert found(organization, "usable=1", usable_with=frozenset({"openai"})) == {"gpt-5"}
    assert found(organization, "usable=1") == set()


def test_fine_tuned_models_are_their_owners(organization: Organization) -> None:
    add_model("ft:gpt-4o:acme", route="openai", vendor="openai", organization=organization)
    assert found(organization, "q=ft:") == {"ft:gpt-4o:acme"}
    other = OrganizationFactory()
    assert found(other, "q=ft:&retired=1") == set()
    assert facets(other, CatalogFilter()).total == 0


# --- paging ---


def walk(organization: Organization, wanted: CatalogFilter, *, limit: int) -> list[CatalogModel]:
    rows: list[CatalogModel] = []
    cursor = ""
    while True:
        page = catalog_page(organization, read_filter(QueryDict(wanted.as_query(cursor=cursor, limit=limit))).filter)
        rows += page.models
        cursor = page.next_cursor
        if not cursor:
            return rows


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("limit", [1, 7, 24])
def test_every_model_is_on_one_page_whatever_is_equal_or_unknown(
    organization: Organization, sort: Sort, limit: int
) -> None:
    fill_catalog(90)
    rows = walk(organization, CatalogFilter(sort=sort), limit=limit)
    assert len(rows) == 90
    assert len({row.pk for row in rows}) == 90
    whole = catalog_page(organization, CatalogFilter(sort=sort, limit=200)).models
    assert [row.pk for row in rows] == [row.pk for row in whole]


@pytest.mark.parametrize(
    ("sort", "key", "descending"),
    [
        (Sort.PRICE, "input_price", False), (Sort.CONTEXT, "context_window", True),
        (Sort.NEWEST, "released_on", True), (Sort.POPULAR, "popularity", True),
    ],
)  # fmt: skip
def test_the_order_is_the_one_asked_for_with_unknown_last(
    organization: Organization, sort: Sort, key: str, descending: bool
) -> None:
    fill_catalog(60)
    values = [getattr(row, key) for row in walk(organization, CatalogFilter(sort=sort), limit=13)]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert values[len(known) :] == [None] * (60 - len(known))


def test_recommended_models_lead_while_nothing_is_called(organization: Organization) -> None:
    fill_catalog(5)
    CatalogModel.objects.update(popularity=0)
    add_model("anthropic/claude-haiku-5.5", released_on=date(2020, 1, 1))
    assert catalog_page(organization, CatalogFilter()).models[0].model_id == "anthropic/claude-haiku-5.5"


def test_rows_that_come_and_go_move_no_other(organization: Organization) -> None:
    for name in "abcdef":
        add_model(f"x/{name}", name=name)
    wanted = CatalogFilter(sort=Sort.NAME, limit=2)
    first = catalog_page(organization, wanted)
    CatalogModel.objects.filter(model_id__in=["x/a", "x/b"]).delete()
    add_model("x/aa", name="aa")
    second = catalog_page(organization, CatalogFilter(sort=Sort.NAME, limit=2, cursor=first.next_cursor))
    assert [row.name for row in second.models] == ["c", "d"]


def test_the_last_page_says_so_even_when_it_is_full(organization: Organization) -> None:
    fill_catalog(PAGE)
    assert catalog_page(organization, CatalogFilter()).next_cursor == ""
    assert catalog_page(OrganizationFactory(), CatalogFilter(q="none")).models == []


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "!!!", "é", "W10", "bnVsbA", "eyJhIjoxfQ",
        # ["name","x",null] · ["name","x",true] · ["name","\u0000",1] · ["name",1,1] · ["name","x",99999999999999999999]
        "WyJuYW1lIiwieCIsbnVsbF0", "WyJuYW1lIiwieCIsdHJ1ZV0", "WyJuYW1lIiwiXHUwMDAwIiwxXQ", "WyJuYW1lIiwxLDFd",
        "WyJuYW1lIiwieCIsOTk5OTk5OTk5OTk5OTk5OTk5OTld", "WyJwcmljZSIsIngiLDFd",
    ],
)  # fmt: skip
def test_a_cursor_of_nobodys_is_refused(organization: Organization, cursor: str) -> None:
    with pytest.raises(BadCursor):
        catalog_page(organization, CatalogFilter(sort=Sort.NAME, cursor=cursor))


@pytest.mark.parametrize("price", ["1e15", "1e-15", "NaN", "Infinity", "x"])
def test_a_cursor_with_an_impossible_price_is_refused(organization: Organization, price: str) -> None:
    import base64
    import json

    packed = json.dumps(["price", price, None, "x", 1]).encode()
    cursor = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    with pytest.raises(BadCursor):
        catalog_page(organization, CatalogFilter(sort=Sort.PRICE, cursor=cursor))


def test_a_cursor_of_another_order_is_refused(organization: Organization) -> None:
    fill_catalog(3)
    cursor = catalog_page(organization, CatalogFilter(sort=Sort.NAME, limit=1)).next_cursor
    with pytest.raises(BadCursor):
        catalog_page(organization, CatalogFilter(sort=Sort.PRICE, cursor=cursor))


def test_makers_are_counted_under_the_other_filters(organization: Organization) -> None:
    add_model("openai/a", tier="cheap")
    add_model("openai/b")
    add_model("meta-llama/c", tier="cheap")
    counted = facets(organization, CatalogFilter(tier="cheap", vendor="openai"))
    assert counted.total == 1
    assert [(each.label, each.count) for each in counted.vendors] == [("Meta", 1), ("OpenAI", 1)]
    assert facets(organization, CatalogFilter(vendor="nobody")).total == 0
