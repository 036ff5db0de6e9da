"""Budgets and rates where a call leaves: refused unsent, settled at its end, told in a sentence."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from pytest_django import Settings

from byok.calls.upper_bound import DEFAULT_AMOUNT, most_it_may_cost
from byok.errors import AIError, translated
from byok.pricing import FixedPrice, Pricing, Rates, Tariff
from leadagent.tenants.models import Organization
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import CHAT, OPENAI_CHAT, OPENROUTER_CHAT, FakeProvider, chat, chat_async
from tests.byok.keys import KEYS
from tests.usage.one_connection import put_postgresql_away
from usage.models import FreeTierMonth, UsageInbox
from usage.spending.chosen_budgets import BudgetChoice, save_budgets, taken_this_month

pytestmark = pytest.mark.django_db


def allow(organization: Organization, hard: str) -> None:
    save_budgets(organization, {"": BudgetChoice(hard=Decimal(hard))})


def error_of(model: Any, way: str = "sync") -> AIError:
    with pytest.raises(AIError) as raised, translated(model.provider):
        chat(model) if way == "sync" else asyncio.run(chat_async(model))
    return raised.value


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_spent_budget_sends_nothing_and_says_how_to_go_on(
    organization: Organization, tenant: Tenant, fake: FakeProvider, provider: str, way: str
) -> None:
    fake.answers(200, CHAT[provider])
    model = tenant(provider)
    allow(organization, "0.0000001")
    error = error_of(model, way)
    assert (error.code, error.permanent, error.needs_admin) == ("budget_exhausted", True, True)
    assert "Settings, Alerts and budgets" in error.sentence
    assert (fake.sent, UsageInbox.objects.count()) == ([], 0)
    allow(organization, "100")
    chat(model)
    assert len(fake.sent) == 1


def test_a_call_ends_at_its_known_cost(organization: Organization, tenant: Tenant, fake: FakeProvider) -> None:
    allow(organization, "100")
    fake.answers(200, OPENROUTER_CHAT)
    chat(tenant("openrouter"))
    assert taken_this_month(organization) == {"": Decimal("0.00123")}


@pytest.mark.parametrize("answer", [httpx2.Response(429, json={}), httpx2.ConnectError("no")])
def test_what_was_not_billed_is_given_back(
    organization: Organization, tenant: Tenant, fake: FakeProvider, answer: Any
) -> None:
    allow(organization, "100")
    fake.answer = lambda request: answer
    error_of(tenant("openai"))
    assert taken_this_month(organization) == {"": 0}


def test_an_unknown_cost_keeps_what_was_held(organization: Organization, tenant: Tenant, fake: FakeProvider) -> None:
    allow(organization, "100")
    fake.answers(200, {key: value for key, value in OPENAI_CHAT.items() if key != "usage"})
    chat(tenant("openai"))
    assert taken_this_month(organization)[""] > Decimal("0.001")


def test_a_budget_gives_the_free_request_back(
    organization: Organization, fake: FakeProvider, settings: Settings
) -> None:
    from byok.config.saving import save_ai_config
    from byok.resolver import get_model_for_tenant

    save_ai_config(organization, provider="platform_default")
    allow(organization, "0.0000001")
    assert error_of(get_model_for_tenant(organization, "chat", operation="research")).code == "budget_exhausted"
    assert FreeTierMonth.objects.get().used == 0


def test_own_keys_go_on_while_postgresql_is_away(
    organization: Organization, tenant: Tenant, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers(200, OPENAI_CHAT)
    model = tenant("openai")
    allow(organization, "0.0000001")
    assert error_of(model).code == "budget_exhausted"
    put_postgresql_away(monkeypatch)
    chat(model)
    assert len(fake.sent) == 1


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_rate_is_told_with_the_time_to_wait(
    tenant: Tenant, fake: FakeProvider, settings: Settings, provider: str, way: str
) -> None:
    settings.AI_RATE_LIMIT_REQUESTS = 1
    fake.answers(200, CHAT[provider])
    model = tenant(provider)
    chat(model)
    error = error_of(model, way)
    assert (error.code, error.permanent) == ("rate_limited", False)
    assert "1 AI requests per minute" in error.sentence
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 60
    assert len(fake.sent) == 1


def test_tokens_are_counted_at_the_end(tenant: Tenant, fake: FakeProvider, settings: Settings) -> None:
    settings.AI_RATE_LIMIT_TOKENS = 1_500
    fake.answers(200, OPENAI_CHAT)
    chat(tenant("openai"))
    assert error_of(tenant("openai")).code == "rate_limited"


@pytest.mark.parametrize(
    ("model", "body", "most"),
    [
        # gpt-4o-mini: $0.15 and $0.60 per million tokens.
        ("gpt-4o-mini", b'{"messages": [], "max_tokens": 1000}', Decimal("0.0006") + 36 * Decimal("0.00000015")),
        ("gpt-4o-mini", b'{"messages":[],"max_tokens":1000,"n":3}', Decimal("0.0018") + 39 * Decimal("0.00000015")),
        ("gpt-4o-mini", b"{}", 16_384 * Decimal("0.0000006") + 2 * Decimal("0.00000015")),
        # text-embedding-3-small: $0.02 per million tokens, no output.
        ("text-embedding-3-small", b'{"input": "Hello"}', 18 * Decimal("0.00000002")),
        ("nobody-knows-this-model", b'{"messages": []}', DEFAULT_AMOUNT),
    ],
)
def test_the_most_that_a_call_may_cost(model: str, body: bytes, most: Decimal) -> None:
    assert most_it_may_cost("openai", model, body) == most


def test_an_agreed_price_is_held_for_calls_that_follow_it() -> None:
    agreed = Pricing(
        "negotiated",
        "negotiated 1",
        datetime(2026, 1, 1, tzinfo=UTC),
        Tariff(Rates(input=Decimal(1), output=Decimal(2))),
    )
    body = b'{"messages": [], "max_tokens": 1000}'
    fixed = FixedPrice("gpt-4o-mini", agreed)
    assert most_it_may_cost("openai", "gpt-4o-mini", body, fixed=fixed) == Decimal("0.002") + 36 * Decimal("0.000001")
