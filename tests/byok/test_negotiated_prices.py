"""Agreed prices: what may be added, how one ends, what the audit log keeps, and the page."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from pytest_django.fixtures import DjangoAssertNumQueries

from byok.config.saving import save_ai_config
from byok.config.values import InvalidConfig
from byok.models import DatedPrice
from byok.pricing import get_pricing
from byok.pricing.negotiated import add_negotiated_price, end_negotiated_price, negotiated_prices
from leadagent.tenants.audit_models import AuditEvent
from leadagent.tenants.audit_trail.actions import LABELS
from leadagent.tenants.models import Organization, Role
from tests.byok.keys import KEYS
from tests.byok.pages import text, url
from tests.clients import client_of
from tests.factories import OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
TODAY = NOW.date()
PRICES: dict[str, Decimal | None] = {"input_price": Decimal("2.25"), "output_price": Decimal(9)}


@pytest.fixture(autouse=True)
def late_in_november() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def add(organization: Organization, **changed: Any) -> DatedPrice:
    values: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "prices": PRICES, "starts_on": TODAY} | changed
    return add_negotiated_price(organization, **values)


def refused(organization: Organization, **changed: Any) -> str:
    with pytest.raises(InvalidConfig) as raised:
        add(organization, **changed)
    assert not DatedPrice.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="price.").exists()
    return raised.value.field


def test_today_counts_from_now(organization: Organization) -> None:
    price = add(organization)
    assert (price.effective_from, price.effective_until) == (NOW, None)
    counts = get_pricing("openai", "gpt-4o", organization=organization)
    assert counts is not None
    assert (counts.kind, counts.input, counts.output) == ("negotiated", Decimal("2.25"), Decimal(9))


def test_other_days_count_from_midnight_utc_and_the_last_one_is_included(organization: Organization) -> None:
    price = add(organization, starts_on=date(2026, 12, 1), last_day=date(2026, 12, 31))
    assert price.effective_from == datetime(2026, 12, 1, tzinfo=UTC)
    assert price.effective_until == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider", "model", "stored"),
    [
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("openai", " gpt-4o ", "gpt-4o"),
        ("anthropic", "anthropic/claude-haiku-4-5", "claude-haiku-4-5"),
        ("openrouter", "openai/gpt-4o", "openai/gpt-4o"),
        ("openai", "ft:gpt-4o:acme::7", "ft:gpt-4o:acme::7"),
    ],
)
def test_the_model_is_stored_as_calls_name_it(
    organization: Organization, provider: str, model: str, stored: str
) -> None:
    assert add(organization, provider=provider, model=model).model_id == stored


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"provider": "gemini"}, "provider"),
        ({"provider": "platform_default"}, "provider"),
        ({"model": " "}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"model": "gpt-4o\nbcc"}, "model"),
        ({"model": "sk-proj-0123456789abcdef0123456789abcdef"}, "model"),
        ({"provider": "openrouter", "model": "gpt-4o"}, "model"),
        ({"prices": {"output_price": Decimal(1)}}, "input_price"),
        ({"prices": {"input_price": Decimal(1)}}, "output_price"),
        ({"prices": PRICES | {"input_price": Decimal(-1)}}, "input_price"),
        ({"prices": PRICES | {"cache_read_price": Decimal("0.0000001")}}, "cache_read_price"),
        ({"prices": PRICES | {"cache_write_price": Decimal("NaN")}}, "cache_write_price"),
        ({"prices": PRICES | {"cache_write_1h_price": Decimal(1_000_000)}}, "cache_write_1h_price"),
        ({"starts_on": date(2026, 10, 31)}, "starts_on"),
        ({"last_day": TODAY - timedelta(days=1)}, "last_day"),
        ({"starts_on": date(2026, 11, 2), "last_day": date(2026, 11, 20)}, "last_day"),
        ({"last_day": date(9999, 12, 31)}, "last_day"),
        ({"note": "n" * 201}, "note"),
        ({"note": "sk-proj-0123456789abcdef0123456789abcdef"}, "note"),
    ],
    ids=str,
)
def test_what_is_refused_and_where_it_is_told(organization: Organization, changed: dict[str, Any], field: str) -> None:
    assert refused(organization, **changed) == field


def test_an_embedding_model_has_no_output(organization: Organization) -> None:
    price = add(organization, model="text-embedding-3-small", prices={"input_price": Decimal("0.01")})
    assert price.output_price is None


def test_free_is_a_price(organization: Organization) -> None:
    assert add(organization, prices={"input_price": Decimal(0), "output_price": Decimal(0)}).input_price == 0


def test_the_month_has_begun_with_the_contract(organization: Organization) -> None:
    assert add(organization, starts_on=date(2026, 11, 1)).effective_from == datetime(2026, 11, 1, tzinfo=UTC)


def test_the_same_day_twice_is_told_at_the_day(organization: Organization) -> None:
    add(organization, starts_on=date(2026, 12, 1))
    with pytest.raises(InvalidConfig) as raised:
        add(organization, model="openai/gpt-4o", starts_on=date(2026, 12, 1))
    assert raised.value.field == "starts_on"
    # Another organisation's contract is none of ours.
    add(OrganizationFactory(), starts_on=date(2026, 12, 1))


def test_a_mistake_of_today_is_mended_today(organization: Organization) -> None:
    wrong = add(organization)
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        end_negotiated_price(organization, wrong.pk)
        add(organization, prices=PRICES | {"input_price": Decimal(3)})
        counts = get_pricing("openai", "gpt-4o", organization=organization)
        assert counts is not None
        assert counts.input == 3


class TestEnding:
    def test_a_price_ends_now(self, organization: Organization) -> None:
        price = add(organization, starts_on=date(2026, 11, 1))
        ended = end_negotiated_price(organization, price.pk)
        assert ended is not None
        assert ended.effective_until == NOW
        counts = get_pricing("openai", "gpt-4o", organization=organization)
        assert counts is not None
        assert counts.kind == "list"
        # What was priced by it is still explained.
        before = get_pricing("openai", "gpt-4o", organization=organization, at=NOW - timedelta(seconds=1))
        assert before is not None
        assert before.kind == "negotiated"

    def test_one_that_has_not_begun_is_taken_back(self, organization: Organization) -> None:
        price = add(organization, starts_on=date(2026, 12, 1))
        assert end_negotiated_price(organization, price.pk) is not None
        assert not DatedPrice.objects.exists()
        assert AuditEvent.objects.filter(action="price.withdrawn").count() == 1

    def test_it_ends_once(self, organization: Organization) -> None:
        price = add(organization, starts_on=date(2026, 11, 1))
        assert end_negotiated_price(organization, price.pk) is not None
        assert end_negotiated_price(organization, price.pk) is None
        assert AuditEvent.objects.filter(action="price.ended").count() == 1

    def test_nobody_elses(self, organization: Organization) -> None:
        price = add(OrganizationFactory())
        assert end_negotiated_price(organization, price.pk) is None
        price.refresh_from_db()
        assert price.effective_until is None

    def test_no_list_price_of_everybody(self, organization: Organization) -> None:
        listed = DatedPrice.objects.create(
            organization=None, route="openai", model_id="gpt-4o", effective_from=NOW, source="openai"
        )
        assert end_negotiated_price(organization, listed.pk) is None


def test_the_audit_log_tells_before_and_after(organization: Organization) -> None:
    actor = UserFactory()
    add(organization, starts_on=date(2026, 11, 1), note="Contract 7", actor=actor)
    raised = add(organization, prices=PRICES | {"input_price": Decimal("2.500000")}, actor=actor)
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
        end_negotiated_price(organization, raised.pk, actor=actor)
    events = list(AuditEvent.objects.filter(action__startswith="price.").order_by("pk"))
    assert [event.action for event in events] == ["price.negotiated", "price.negotiated", "price.ended"]
    assert {event.target for event in events} == {"OpenAI: gpt-4o"}
    assert {event.actor for event in events} == {actor}
    first, second, end = events
    assert first.before is None
    assert first.after == {
        "from": "2026-11-01T00:00:00+00:00",
        "until": None,
        "input_price": "2.25",
        "output_price": "9",
        "cache_read_price": None,
        "cache_write_price": None,
        "cache_write_1h_price": None,
        "note": "Contract 7",
    }
    assert second.before == first.after
    assert second.after is not None
    assert second.after["input_price"] == "2.5"
    assert end.before is not None
    assert end.after is not None
    assert (end.before["until"], end.after["until"]) == (None, "2026-11-26T12:35:00+00:00")
    assert {event.action for event in events} <= LABELS.keys()


def test_those_in_force_and_to_come_stand_first(organization: Organization) -> None:
    old = add(organization, starts_on=date(2026, 11, 1))
    end_negotiated_price(organization, old.pk)
    add(organization, starts_on=date(2026, 12, 1))
    add(organization)
    assert [one.state for one in negotiated_prices(organization)] == ["to come", "in force", "ended"]


# --- The page ------------------------------------------------------------------------------------------------------


def sent(**changed: str) -> dict[str, str]:
    """The form as a browser sends it."""
    return {
        "provider": "openai", "model": "gpt-4o", "input_price": "2.25", "output_price": "9", "cache_read_price": "1.1",
        "cache_write_price": "", "cache_write_1h_price": "", "starts_on": "2026-12-01", "last_day": "2027-11-30",
        "note": "Contract 7",
    } | changed  # fmt: skip


def test_an_admin_adds_a_price(organization: Organization) -> None:
    client = client_of(organization)
    answer = client.post(url("price_add", organization), sent(), follow=True)
    page = text(answer)
    assert "The price of gpt-4o is saved." in page
    assert "No list we know" not in page
    for part in ("$2.25", "$9.00", "$1.10", "list $2.50", "To come", "1 Dec 2026</time> to 30 Nov 2027", "Contract 7"):
        assert part in page
    [price] = organization.negotiated_prices.all()
    assert (price.input_price, price.cache_read_price, price.cache_write_price) == (
        Decimal("2.25"),
        Decimal("1.1"),
        None,
    )


def test_a_name_that_no_list_knows_is_saved_with_a_warning(organization: Organization) -> None:
    page = text(client_of(organization).post(url("price_add", organization), sent(model="gpt-4p"), follow=True))
    assert "No list we know names gpt-4p" in page
    assert organization.negotiated_prices.exists()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"model": ""}, "This field is required."),
        ({"input_price": ""}, "This field is required."),
        ({"output_price": ""}, "Enter the price of output."),
        ({"input_price": "cheap"}, "Enter dollars per million tokens, for example 2.50."),
        ({"input_price": "-1"}, "A price is not below 0."),
        ({"input_price": "0.0000001"}, "Enter a price with at most 6 decimals."),
        ({"input_price": "12345678"}, "Enter a price below 1,000,000."),
        ({"starts_on": "2026-10-31"}, "Choose a day from 1 November 2026 on"),
        ({"starts_on": "soon"}, "Enter a day, for example 2026-12-01."),
        ({"last_day": "2026-11-30"}, "The last day lies before the price counts."),
        ({"provider": "openrouter"}, "At OpenRouter a model is named vendor/model"),
    ],
    ids=str,
)
def test_errors_stand_beside_their_field_and_nothing_typed_is_lost(
    organization: Organization, changed: dict[str, str], error: str
) -> None:
    answer = client_of(organization).post(url("price_add", organization), sent(**changed))
    page = text(answer)
    assert answer.status_code == 422
    assert error in page
    assert 'aria-invalid="true"' in page
    assert 'value="Contract 7"' in page
    assert not organization.negotiated_prices.exists()


def test_an_admin_ends_a_price(organization: Organization) -> None:
    client = client_of(organization)
    price = add(organization, starts_on=date(2026, 11, 1))
    where = url("price_end", organization, str(price.pk))
    assert "End the price of" in text(client.get(where))
    page = text(client.post(where, follow=True))
    assert "no longer counts for new calls" in page
    assert "Earlier prices" in page
    assert "26 Nov 2026, 12:30" in page
    # The question for a price that has ended leads back to the page.
    assert client.get(where).status_code == 302
    assert "had ended already" in text(client.post(where, follow=True))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_others_look_and_change_nothing(organization: Organization, role: Role) -> None:
    price = add(organization)
    client = client_of(organization, role)
    page = text(client.get(url("prices", organization)))
    assert "$2.25" in page
    assert "Add a price" not in page
    assert "/end/" not in page
    assert client.post(url("price_add", organization), sent()).status_code == 403
    assert client.post(url("price_end", organization, str(price.pk))).status_code == 403
    assert [row.effective_until for row in organization.negotiated_prices.all()] == [None]


@pytest.mark.parametrize(
    ("role", "words"), [(Role.ADMIN, "If your contract says something else"), (Role.VIEWER, "An admin can add prices")]
)
def test_an_empty_page_says_what_it_is_for(organization: Organization, role: Role, words: str) -> None:
    assert words in text(client_of(organization, role).get(url("prices", organization)))


def test_more_prices_are_no_more_queries(
    organization: Organization, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(organization)

    def queries() -> int:
        with django_assert_max_num_queries(30) as seen:
            client.get(url("prices", organization))
        return len(seen)

    add(organization, actor=UserFactory())
    few = queries()
    for month in (1, 2, 3):
        add(organization, starts_on=date(2027, month, 1), actor=UserFactory())
    assert queries() == few


def test_the_form_begins_with_the_own_provider(organization: Organization) -> None:
    save_ai_config(organization, provider="anthropic", chat_model="claude-haiku-4-5", api_key=KEYS["anthropic"])
    assert '<option value="anthropic" selected>' in text(client_of(organization).get(url("prices", organization)))


def test_it_says_that_recorded_calls_keep_their_price(organization: Organization) -> None:
    assert "Calls that are recorded already keep their price." in text(
        client_of(organization).get(url("prices", organization))
    )


@pytest.mark.parametrize("field", ["provider", "model", "input_price", "starts_on", "note"])
def test_a_misplaced_key_is_told_and_not_shown_again(organization: Organization, field: str) -> None:
    answer = client_of(organization).post(url("price_add", organization), sent(**{field: KEYS["anthropic"]}))
    assert answer.status_code == 422
    assert "This looks like a key" in text(answer)
    assert KEYS["anthropic"] not in answer.content.decode()
    assert not DatedPrice.objects.exists()


def test_the_list_price_beside_it_is_the_one_that_calls_would_follow(organization: Organization) -> None:
    DatedPrice.objects.create(
        route="openai", model_id="gpt-4o", input_price=Decimal("7.77"), output_price=Decimal(8), source="openai 2026-11-25",
        effective_from=NOW - timedelta(days=1),
    )  # fmt: skip
    DatedPrice.objects.create(
        route="openai", model_id="only-live-embeds", input_price=Decimal(1), source="openai 2026-11-25",
        effective_from=NOW - timedelta(days=1),
    )  # fmt: skip
    client = client_of(organization)
    client.post(url("price_add", organization), sent())
    page = text(client.get(url("prices", organization)))
    assert "list $7.77" in page
    answer = client.post(url("price_add", organization), sent(model="only-live-embeds", output_price=""), follow=True)
    assert "No list we know names" not in text(answer)
    assert organization.negotiated_prices.filter(model_id="only-live-embeds").exists()
