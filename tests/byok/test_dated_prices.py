"""Which price counts for whom and when, and that it is fixed when a model is resolved."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from byok.models import DatedPrice
from byok.pricing import BATCH, TokenBuckets, calculate_cost, get_pricing
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.conftest import Rows, Tenant
from tests.byok.fake_provider import OPENAI_CHAT, FakeProvider, chat
from tests.factories import OrganizationFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MODEL = "gpt-4o-mini"


def price(
    organization: Organization | None,
    *,
    model: str = MODEL,
    route: str = "openai",
    since: datetime = START,
    **more: Any,
) -> DatedPrice:
    fields = {"input_price": Decimal(1), "output_price": Decimal(2), "source": "openai 2026-03-01"} | more
    return DatedPrice.objects.create(
        organization=organization, route=route, model_id=model, effective_from=since, **fields
    )


def found(at: datetime, organization: Organization | None = None) -> tuple[str, Decimal | None]:
    pricing = get_pricing("openai", MODEL, at=at, organization=organization)
    assert pricing is not None
    return pricing.kind, pricing.input


def test_negotiated_before_live_before_list(organization: Organization) -> None:
    later = START + timedelta(days=30)
    assert found(later, organization) == ("list", Decimal("0.15"))
    price(None, input_price=Decimal("0.14"))
    assert found(later, organization) == ("live", Decimal("0.14"))
    price(organization, input_price=Decimal("0.12"))
    assert found(later, organization) == ("negotiated", Decimal("0.12"))
    # A list that was read later is still no contract.
    price(None, input_price=Decimal("0.13"), since=later)
    assert found(later, organization) == ("negotiated", Decimal("0.12"))
    assert found(later) == ("live", Decimal("0.13"))


def test_from_its_moment_on_until_its_end(organization: Organization) -> None:
    end = START + timedelta(days=10)
    price(organization, effective_until=end)
    assert [found(at, organization)[0] for at in (START - SECOND, START, end - SECOND, end)] == [
        "list",
        "negotiated",
        "negotiated",
        "list",
    ]


def test_the_newest_that_is_in_force_counts(organization: Organization) -> None:
    week = timedelta(days=7)
    price(organization, input_price=Decimal(3))
    price(organization, input_price=Decimal(4), since=START + week, effective_until=START + 2 * week)
    prices = [found(START + n * week, organization)[1] for n in range(3)]
    assert prices == [Decimal(3), Decimal(4), Decimal(3)]


def test_nobody_elses_contract_counts(organization: Organization) -> None:
    price(OrganizationFactory(name="Globex", slug="globex"))
    assert found(START, organization)[0] == "list"
    assert found(START)[0] == "list"


def test_the_same_name_elsewhere_is_another_model(organization: Organization) -> None:
    price(organization, route="openrouter")
    price(organization, model="gpt-4o")
    assert found(START, organization)[0] == "list"


def test_the_source_says_which_price_and_since_when(organization: Organization) -> None:
    row = price(organization)
    price(None)
    mine = get_pricing("openai", MODEL, at=START, organization=organization)
    live = get_pricing("openai", MODEL, at=START)
    assert mine is not None
    assert live is not None
    assert (mine.version(), mine.since) == (f"negotiated {row.pk}, from 2026-03-01", START)
    assert (live.version(), live.since) == ("openai 2026-03-01", START)


def test_one_query(organization: Organization, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    price(organization)
    price(None)
    with django_assert_num_queries(1):
        get_pricing("openai", MODEL, organization=organization)


class TestPricesThatARowLeavesOut:
    """A published rule gives them, or they are unknown."""

    def test_anthropics_cache_prices_are_multiples_of_the_input_price(self, organization: Organization) -> None:
        model = "claude-sonnet-4-5"
        price(organization, route="anthropic", model=model, input_price=Decimal("2.4"), output_price=Decimal(12))
        pricing = get_pricing("anthropic", model, at=START, organization=organization)
        assert pricing is not None
        # 0.1, 1.25 and 2 times 2.40
        assert (pricing.cache_read, pricing.cache_write, pricing.cache_write_1h) == (
            Decimal("0.24"),
            Decimal(3),
            Decimal("4.8"),
        )
        # 10 x 2.4 + 20 x 0.24 + 30 x 3 + 40 x 4.8 + 50 x 12 = 24 + 4.8 + 90 + 192 + 600 = 910.8
        assert pricing.cost(TokenBuckets(10, 20, 30, 40, 50)) == Decimal("0.0009108")

    def test_newer_models_have_other_multiples(self, organization: Organization) -> None:
        # Reading costs a twentieth there: 0.05 x 1.60
        price(organization, route="anthropic", model="claude-sonnet-5-5", input_price=Decimal("1.6"))
        pricing = get_pricing("anthropic", "claude-sonnet-5-5", organization=organization)
        assert pricing is not None
        assert pricing.cache_read == Decimal("0.08")

    def test_a_named_cache_price_stands(self, organization: Organization) -> None:
        price(organization, route="anthropic", model="claude-sonnet-4-5", cache_read_price=Decimal("0.5"))
        pricing = get_pricing("anthropic", "claude-sonnet-4-5", organization=organization)
        assert pricing is not None
        assert pricing.cache_read == Decimal("0.5")

    def test_openai_names_cached_input_as_a_price_of_its_own(self, organization: Organization) -> None:
        price(organization)
        pricing = get_pricing("openai", MODEL, organization=organization)
        assert pricing is not None
        assert pricing.cost(TokenBuckets(10, 1, output=5)) is None
        # Writing is without a charge of its own: 10 x 1 + 4 x 1 + 5 x 2 = 24
        assert pricing.cost(TokenBuckets(10, cache_write_5m=4, output=5)) == Decimal("0.000024")

    def test_openais_newer_models_charge_for_writing(self, organization: Organization) -> None:
        price(organization, model="gpt-6-sol")
        pricing = get_pricing("openai", "gpt-6-sol", organization=organization)
        assert pricing is not None
        assert pricing.cost(TokenBuckets(10, cache_write_5m=4)) is None

    def test_a_model_that_no_list_knows(self, organization: Organization) -> None:
        price(organization, model="ft:gpt-99:acme::1")
        tokens = TokenBuckets(10, output=5)
        # 10 x 1 + 5 x 2 = 20
        assert calculate_cost("openai", "ft:gpt-99:acme::1", tokens, organization=organization) == Decimal("0.00002")

    def test_batch_is_not_negotiated_by_saying_nothing(self, organization: Organization) -> None:
        price(organization)
        assert calculate_cost("openai", MODEL, TokenBuckets(10), organization=organization, served=BATCH) is None

    @pytest.mark.parametrize(("length", "known"), [(200_000, True), (200_001, False)])
    def test_one_live_price_says_nothing_of_long_prompts(self, length: int, known: bool) -> None:
        price(None, route="openrouter", model="anthropic/claude-sonnet-4.5", input_price=Decimal(3))
        cost = calculate_cost("openrouter", "anthropic/claude-sonnet-4.5", TokenBuckets(length))
        assert (cost is not None) is known

    def test_a_negotiated_price_is_for_prompts_of_every_length(self, organization: Organization) -> None:
        price(organization, route="openrouter", model="anthropic/claude-sonnet-4.5", input_price=Decimal(2))
        cost = calculate_cost(
            "openrouter", "anthropic/claude-sonnet-4.5", TokenBuckets(200_001), organization=organization
        )
        # 200,001 x 2
        assert cost == Decimal("0.400002")


class TestCalls:
    """1000 tokens in, of which 400 cached, and 500 out: see OPENAI_CHAT."""

    # 600 x 1 + 400 x 0.5 + 500 x 2 = 600 + 200 + 1000 = 1800 per million
    NEGOTIATED = Decimal("0.0018")
    # 600 x 0.15 + 400 x 0.075 + 500 x 0.60 = 420 per million
    LISTED = Decimal("0.00042")

    @pytest.fixture
    def negotiated(self, organization: Organization, fake: FakeProvider) -> DatedPrice:
        fake.answers(200, OPENAI_CHAT)
        return price(organization, cache_read_price=Decimal("0.5"))

    def test_are_priced_by_the_contract(self, tenant: Tenant, negotiated: DatedPrice, rows: Rows) -> None:
        # A dated build of the model answers: gpt-4o-mini-2024-07-18.
        chat(tenant("openai"))
        (row,) = rows()
        assert (row.estimated_cost, row.actual_cost) == (self.NEGOTIATED, None)
        assert row.price_version == f"negotiated {negotiated.pk}, from 2026-03-01"

    def test_the_price_is_fixed_when_the_model_is_resolved(
        self, tenant: Tenant, negotiated: DatedPrice, rows: Rows
    ) -> None:
        model = tenant("openai")
        negotiated.effective_until = timezone.now()
        negotiated.save(update_fields=["effective_until"])
        chat(model)
        chat(tenant("openai"))
        assert [row.estimated_cost for row in rows()] == [self.NEGOTIATED, self.LISTED]

    def test_another_model_that_answers_is_priced_by_the_list(
        self, tenant: Tenant, negotiated: DatedPrice, fake: FakeProvider, rows: Rows
    ) -> None:
        fake.answers(200, OPENAI_CHAT | {"model": "gpt-4.1-nano-2025-04-14"})
        chat(tenant("openai"))
        (row,) = rows()
        # 600 x 0.10 + 400 x 0.025 + 500 x 0.40 = 60 + 10 + 200 = 270
        assert row.estimated_cost == Decimal("0.00027")
        assert row.price_version.startswith("genai-prices ")

    def test_another_model_that_nobody_lists_is_unknown(self, tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
        # Not at the price of the one that was asked.
        fake.answers(200, OPENAI_CHAT | {"model": "gpt-99-imaginary"})
        chat(tenant("openai"))
        (row,) = rows()
        assert (row.cost, row.input_tokens) == (None, 600)

    def test_another_model_that_was_asked_in_its_place(
        self, tenant: Tenant, negotiated: DatedPrice, fake: FakeProvider, rows: Rows
    ) -> None:
        client: Any = tenant("openai").client()
        client.chat.completions.create(model="gpt-4.1-nano", messages=[{"role": "user", "content": "Hello"}])
        (row,) = rows()
        assert row.model == "gpt-4.1-nano"
        # What answered is gpt-4o-mini: the contract was not looked up for this call.
        assert row.estimated_cost == self.LISTED

    def test_on_the_platforms_key_no_contract_counts(
        self, organization: Organization, negotiated: DatedPrice, settings: Settings, rows: Rows
    ) -> None:
        settings.PLATFORM_CHAT_MODEL = MODEL
        chat(get_model_for_tenant(organization, "chat", operation="qualification"))
        (row,) = rows()
        assert (row.key_owner, row.estimated_cost) == ("platform", self.LISTED)

    def test_on_the_platforms_key_the_live_list_counts(
        self, organization: Organization, negotiated: DatedPrice, settings: Settings, rows: Rows
    ) -> None:
        settings.PLATFORM_CHAT_MODEL = MODEL
        price(None, cache_read_price=Decimal("0.25"))
        chat(get_model_for_tenant(organization, "chat", operation="qualification"))
        (row,) = rows()
        # 600 x 1 + 400 x 0.25 + 500 x 2 = 1700
        assert (row.estimated_cost, row.price_version) == (Decimal("0.0017"), "openai 2026-03-01")

    def test_what_the_provider_reports_wins(
        self, tenant: Tenant, organization: Organization, fake: FakeProvider, rows: Rows
    ) -> None:
        price(organization, route="openrouter", model="openai/gpt-4o-mini", cache_read_price=Decimal("0.5"))
        usage = OPENAI_CHAT["usage"] | {"cost": 0.00123}
        fake.answers(200, OPENAI_CHAT | {"model": "openai/gpt-4o-mini", "usage": usage})
        chat(tenant("openrouter"))
        (row,) = rows()
        assert (row.cost, row.estimated_cost) == (Decimal("0.00123"), self.NEGOTIATED)

    def test_it_costs_a_resolve_one_query_and_a_call_none(
        self, tenant: Tenant, organization: Organization, negotiated: DatedPrice
    ) -> None:
        tenant("openai")
        with CaptureQueriesContext(connection) as resolving:
            model = get_model_for_tenant(organization, "chat", operation="qualification")
        assert len([query for query in resolving if "byok_datedprice" in query["sql"]]) == 1
        with CaptureQueriesContext(connection) as calling:
            chat(model)
        assert [query["sql"] for query in calling if "byok_datedprice" in query["sql"]] == []
