"""The catalog page: who sees what, what htmx gets, what is said when nothing matches, what it asks of the database."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import Resolver404, resolve
from django.utils import timezone

from byok.catalog.what_if import last_month
from byok.config.saving import save_ai_config
from byok.models import CatalogChange, CatalogModel, CatalogSync, DatedPrice
from leadagent.tenants.models import Organization, Role
from tests.byok.catalog_rows import add_model, fill_catalog
from tests.byok.keys import KEYS
from tests.byok.pages import HTMX, text, url
from tests.clients import client_of
from tests.factories import OrganizationFactory
from usage.models import UsageDaily

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_catalog")]


def names(page: str) -> list[str]:
    return re.findall(r'<article class="model-card">.*?<h2><a [^>]*>(.*?)</a>', page, flags=re.DOTALL)


def model_url(organization: Organization, provider: str, model_id: str) -> str:
    return url("catalog_model", organization, provider, model_id)


@pytest.fixture
def with_key(organization: Organization) -> Organization:
    save_ai_config(organization, provider="openrouter", chat_model="openai/gpt-4o", api_key=KEYS["openrouter"])
    return organization


# --- the list ---


@pytest.mark.parametrize("role", list(Role))
def test_every_member_sees_prices_and_only_admins_may_select(with_key: Organization, role: Role) -> None:
    add_model("openai/gpt-5", name="GPT-5", input_price=Decimal("1.25"), output_price=Decimal(10))
    add_model("openai/embed", kind="embedding", input_price=Decimal("0.02"), output_price=None)
    page = text(client_of(with_key, role).get(url("catalog", with_key)))
    assert set(names(page)) == {"GPT-5", "embed"}
    assert "$1.25 / $10.00" in page
    assert "200K tokens" in page
    assert "Complex reasoning and analysis" in page
    actions = ("Select for chat", "For one operation", "Select for embedding")
    assert [word in page for word in actions] == [role == Role.ADMIN] * 3
    assert "Learn more" in page


def test_what_cannot_be_paid_for_cannot_be_selected(with_key: Organization) -> None:
    add_model("gpt-5", route="openai", vendor="openai")
    add_model("openai/dall", kind="other")
    add_model("openai/gpt-4", retired_on=timezone.now().date())
    page = text(client_of(with_key).get(url("catalog", with_key), {"retired": "1"}))
    assert len(names(page)) == 3
    assert "Select for" not in page
    assert "For one operation" not in page


def test_a_model_in_use_says_so_and_is_not_offered_again(with_key: Organization) -> None:
    add_model("openai/gpt-4o")
    page = text(client_of(with_key).get(url("catalog", with_key)))
    assert "In use" in page
    assert "Select for chat" not in page
    assert "For one operation" in page


def test_usable_follows_the_keys_and_the_platform_where_there_is_none(
    organization: Organization, settings: Any
) -> None:
    add_model("claude-x", route="anthropic")
    add_model("gpt-x", route="openai")
    where = url("catalog", organization)
    client = client_of(organization)
    settings.PLATFORM_PROVIDER = "openai"
    assert names(text(client.get(where, {"usable": "1"}))) == ["gpt-x"]
    save_ai_config(organization, provider="anthropic", chat_model="claude-haiku-4-5", api_key=KEYS["anthropic"])
    assert names(text(client.get(where, {"usable": "1"}))) == ["claude-x"]


def test_htmx_gets_the_part_it_asked_for_and_the_address_to_keep(organization: Organization) -> None:
    fill_catalog(30)
    client, where = client_of(organization), url("catalog", organization)
    query = {"q": " openai ", "tier": "", "min_context": "128k", "sort": "popular"}
    results = client.get(where, query, headers=HTMX | {"HX-Target": "results"})
    assert results.headers["HX-Push-Url"] == f"{where}?q=openai&min_context=128000"
    body = text(results)
    assert '<div id="results"' in body
    assert "<form" not in body
    assert 'hx-swap-oob="innerHTML:#catalog-status"' in body
    assert 'id="min_context-error"' in body
    whole = text(client.get(where, query, headers=HTMX | {"HX-Target": "catalog"}))
    assert '<form id="catalog-form"' in whole
    assert "<html" not in whole
    back = text(client.get(where, query, headers=HTMX | {"HX-History-Restore-Request": "true"}))
    assert "<html" in back


def test_load_more_goes_on_where_the_page_ended(organization: Organization) -> None:
    fill_catalog(60)
    client, where = client_of(organization), url("catalog", organization)
    seen: list[str] = []
    page = text(client.get(where, {"sort": "name"}))
    for _ in range(3):
        seen += names(page)
        more = re.search(r'hx-get="([^"]*cursor=[^"]*)"', page)
        if not more:
            break
        answer = client.get(unescape(more.group(1)), headers=HTMX)
        assert "HX-Push-Url" not in answer.headers
        page = text(answer)
        assert "id=" not in page.split("<article")[0]
    assert seen == sorted(seen, key=str.lower)
    assert len(set(seen)) == 60


def test_without_scripts_the_next_page_is_a_page(organization: Organization) -> None:
    fill_catalog(30)
    client, where = client_of(organization), url("catalog", organization)
    more = re.search(r'<a class="button" href="([^"]*cursor=[^"]*)"', text(client.get(where, {"sort": "name"})))
    assert more
    page = text(client.get(unescape(more.group(1))))
    assert len(names(page)) == 6
    assert "First page" in page


@pytest.mark.parametrize("target", ["", "results", "catalog"])
def test_bad_input_is_told_and_never_breaks(organization: Organization, target: str) -> None:
    add_model("openai/gpt-5")
    headers = HTMX | {"HX-Target": target} if target else {}
    query = {"min_context": "lots", "max_price": "-1", "tier": "gold", "sort": "x", "q": "a\0b", "capability": "fly"}
    answer = client_of(organization).get(url("catalog", organization), query, headers=headers)
    assert answer.status_code == 422
    page = text(answer)
    assert "Enter a number of tokens" in page
    assert "Enter a price in dollars" in page
    assert "Choose one of premium, balanced, cheap, fast." in page
    assert names(page) == ["gpt-5"]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_place_that_is_no_more_leads_to_the_first_page(organization: Organization, headers: dict[str, str]) -> None:
    add_model("openai/gpt-5")
    answer = client_of(organization).get(url("catalog", organization), {"cursor": "nonsense"}, headers=headers)
    assert answer.status_code == 422
    assert "Start at the first page" in text(answer)


def test_no_match_says_which_filter_to_drop(organization: Organization) -> None:
    add_model("openai/gpt-5", context_window=400_000)
    add_model("openai/gpt-4", context_window=8_000)
    page = text(client_of(organization).get(url("catalog", organization), {"q": "gpt", "min_context": "1M"}))
    assert "No model matches all of this" in page
    assert re.search(r'href="[^"]*/models/\?q=gpt"[^>]*>without at least 1,000,000 tokens: 2 models<', page)
    assert "without “gpt”" not in page


def test_an_empty_catalog_says_so(organization: Organization) -> None:
    assert "The catalog is empty" in text(client_of(organization).get(url("catalog", organization)))


def test_text_of_providers_is_only_text(organization: Organization) -> None:
    add_model("x/<b>", name="<script>alert(1)</script>", vendor='"><img src=x>', description="<i>" * 200)
    client = client_of(organization)
    pages = text(client.get(url("catalog", organization))) + text(
        client.get(model_url(organization, "openrouter", "x/<b>"))
    )
    assert "<script>alert" not in pages
    assert "<img" not in pages
    assert "<i>" not in pages


def test_a_page_costs_the_same_at_900_models(with_key: Organization) -> None:
    client, where = client_of(with_key), url("catalog", with_key)
    fill_catalog(3)
    client.get(where)
    with CaptureQueriesContext(connection) as few:
        client.get(where)
    CatalogModel.objects.all().delete()
    fill_catalog(900)
    with CaptureQueriesContext(connection) as many:
        page = text(client.get(where))
    assert len(names(page)) == 24
    assert len(many) == len(few)
    with CaptureQueriesContext(connection) as searching:
        client.get(where, {"q": "model"}, headers=HTMX | {"HX-Target": "results"})
    assert len(searching) < len(many)


# --- one model ---


def test_the_details_of_a_model(organization: Organization) -> None:
    model = add_model("openai/gpt-4", name="GPT-4", retired_on=timezone.now().date() + timedelta(days=30), successor="openai/gpt-5",
                      cache_write_1h_price=Decimal(6), input_price=Decimal("1.125"))  # fmt: skip
    add_model("openai/gpt-5", name="GPT-5")
    DatedPrice.objects.create(
        route="openrouter",
        model_id="openai/gpt-4",
        effective_from=timezone.now(),
        input_price=Decimal("7.77"),
        source="dated list",
    )
    DatedPrice.objects.create(
        organization=OrganizationFactory(),
        route="openrouter",
        model_id="openai/gpt-4",
        effective_from=timezone.now(),
        input_price=Decimal("6.66"),
        source="secret deal",
    )
    sync = CatalogSync.objects.create(source="openrouter")
    CatalogChange.objects.create(
        sync=sync,
        kind="repriced",
        route="openrouter",
        model_id=model.model_id,
        before={"input_price": "2"},
        after={"input_price": "1.125"},
    )
    CatalogChange.objects.create(
        sync=sync, kind="removed", route="openrouter", model_id=model.model_id, organization=OrganizationFactory()
    )
    today = timezone.now().date()
    row = {
        "organization": organization,
        "operation": "research",
        "provider": "openrouter",
        "model": "openai/gpt-4",
        "key_owner": "customer",
    }
    UsageDaily.objects.create(
        day=today - timedelta(days=29),
        requests=3,
        successes=2,
        input_tokens=1234,
        total_tokens=1234,
        actual_cost=Decimal("4.56"),
        **row,
    )
    UsageDaily.objects.create(day=today - timedelta(days=30), requests=1000, total_tokens=10**9, **row)
    page = text(client_of(organization, Role.VIEWER).get(model_url(organization, "openrouter", "openai/gpt-4")))
    for words in ("$1.125", "$3.75 for five minutes, $6.00 for an hour", "tests 1", "checked on 1 November 2026",
                  "Retiring.", "GPT-5", "3, 1 of them failed", "1,234", "$4.56", "$7.77", "dated list", "New price", "$2.00 → $1.125",
                  "cannot be seen from daily sums"):  # fmt: skip
        assert words in page, words
    assert "secret deal" not in page
    assert "No longer listed" not in page
    assert "Select for chat" not in page


def test_last_month_on_a_model(organization: Organization) -> None:
    add_model("openai/gpt-5", cache_read_price=None)
    UsageDaily.objects.create(
        organization=organization, day=last_month().start, operation="research", provider="openai", model="gpt-4o", key_owner="customer",
        requests=2, successes=2, input_tokens=1_000_000, cached_input_tokens=1_000_000, output_tokens=100_000, actual_cost=Decimal(9),
    )  # fmt: skip
    page = text(client_of(organization).get(model_url(organization, "openrouter", "openai/gpt-5")))
    # 2,000,000 × 3 + 100,000 × 15 = 7.50 in all, cache at the input price.
    assert "$7.50" in page
    assert "$1.50 less" in page
    assert "Tokens from the cache are counted at the input price" in page


@pytest.mark.parametrize(
    ("provider", "model_id"), [("openrouter", "no/such"), ("openai", "openai/gpt-5"), ("openrouter", "x/../y")]
)
def test_what_is_not_there_is_not_found(organization: Organization, provider: str, model_id: str) -> None:
    add_model("openai/gpt-5")
    assert client_of(organization).get(model_url(organization, provider, model_id)).status_code == 404


def test_names_with_colons_and_odd_characters_have_a_page(organization: Organization) -> None:
    for name in ("meta-llama/llama-3:free", "x/a b?c#d%2F&e", "ft:gpt-4o:acme::x"):
        add_model(name, name=f"Name of {len(name)}")
        assert f"Name of {len(name)}" in text(client_of(organization).get(model_url(organization, "openrouter", name)))


@pytest.mark.parametrize("rest", ["prices/", "prices/openai/gpt-5/", "elsewhere/x/"])
def test_words_that_are_no_providers_leave_their_address_to_other_pages(rest: str) -> None:
    try:
        name = resolve(f"/o/acme/models/{rest}").url_name or ""
    except Resolver404:
        name = ""
    assert not name.startswith("catalog")


# --- side by side ---


def test_models_side_by_side(organization: Organization) -> None:
    add_model("openai/a", name="Model A", input_price=Decimal(1))
    add_model("openai/b", name="Model B", context_window=1_000_000)
    where = url("catalog_compare", organization)
    client = client_of(organization, Role.VIEWER)
    page = text(
        client.get(
            where, {"m": ["openrouter:openai/b", "openrouter:openai/a", "openrouter:openai/b", "openrouter:no/such"]}
        )
    )
    assert re.findall(r'<th scope="col"><a [^>]*>(.*?)</a>', page) == ["Model B", "Model A"]
    assert page.count("lowest") == 1
    assert page.count("largest") == 1
    assert "Not in the catalog: openrouter:no/such" in page
    assert re.search(r'href="[^"]*compare/\?m=openrouter%3Aopenai%2Fa"', page)


def test_more_than_four_are_left_out_and_none_is_a_hint(organization: Organization) -> None:
    for name in "abcde":
        add_model(f"x/{name}", name=f"Model {name}")
    where, client = url("catalog_compare", organization), client_of(organization)
    page = text(client.get(where, {"m": [f"openrouter:x/{name}" for name in "abcde"]}))
    assert page.count('<th scope="col">') == 4
    assert "Four models fit side by side" in page
    assert "No model is chosen" in text(client.get(where))
    assert "Not in the catalog" in text(client.get(where, {"m": ["nonsense", "a\0b"]}))


@pytest.mark.parametrize("name", ["q", "vendor", "min_context", "max_price", "sort", "capability"])
@pytest.mark.parametrize("headers", [{}, HTMX | {"HX-Target": "results"}], ids=["page", "results"])
def test_a_key_in_the_search_is_told_and_not_shown_again(
    organization: Organization, name: str, headers: dict[str, str]
) -> None:
    add_model("openai/gpt-5")
    answer = client_of(organization).get(url("catalog", organization), {name: KEYS["openai"]}, headers=headers)
    assert answer.status_code == 422
    assert KEYS["openai"] not in answer.content.decode()
    assert KEYS["openai"] not in str(answer.headers)


def test_a_key_among_models_to_compare_is_not_shown_again(organization: Organization) -> None:
    answer = client_of(organization).get(url("catalog_compare", organization), {"m": KEYS["openai"]})
    assert "Not in the catalog: a key" in text(answer)
    assert KEYS["openai"] not in answer.content.decode()


def test_a_model_in_use_is_known_by_the_providers_own_name_for_it(organization: Organization) -> None:
    save_ai_config(organization, provider="openai", chat_model="openai/gpt-5", api_key=KEYS["openai"])
    add_model("gpt-5", route="openai")
    page = text(client_of(organization).get(url("catalog", organization)))
    assert "In use" in page
    assert "Select for chat" not in page


def test_what_we_recommend_is_no_longer_called_so_once_its_last_day_is_known(organization: Organization) -> None:
    client = client_of(organization)
    model = add_model("gpt-5.4", route="openai")
    where = model_url(organization, "openai", "gpt-5.4")
    assert "We recommend it" in text(client.get(where))
    CatalogModel.objects.filter(pk=model.pk).update(retired_on=timezone.now().date() + timedelta(days=90))
    assert "We recommend it" not in text(client.get(where))
