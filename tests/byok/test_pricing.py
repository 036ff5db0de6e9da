"""Costs to the last digit, worked out by hand from the providers' price pages."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from byok.pricing import (
    BATCH,
    STANDARD,
    Rates,
    Served,
    TokenBuckets,
    calculate_cost,
    get_pricing,
    is_same_model,
    list_pricing,
    price_version,
    read_tokens,
)
from byok.providers import REGISTRY, UsageShape
from tests.byok.fake_provider import ANTHROPIC_USAGE

pytestmark = pytest.mark.django_db

AT = datetime(2026, 6, 1, tzinfo=UTC)
CHAT, OPENROUTER, MESSAGES = (
    UsageShape("openai", "chat"),
    UsageShape("openrouter", "chat"),
    UsageShape("anthropic", "default"),
)


def _openai(prompt: int, output: int, *, cached: int = 0, written: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@pytest.mark.parametrize(
    ("shape", "usage", "buckets"),
    [
        (CHAT, {"prompt_tokens": 12, "completion_tokens": 3}, TokenBuckets(uncached_input=12, output=3)),
        # Cached tokens lie inside the prompt, reasoning inside the completion.
        (
            CHAT,
            _openai(1000, 500, cached=400, reasoning=100),
            TokenBuckets(uncached_input=600, cache_read=400, output=500, reasoning=100),
        ),
        (
            OPENROUTER,
            _openai(1000, 50, cached=100, written=200, reasoning=7),
            TokenBuckets(uncached_input=700, cache_read=100, cache_write_5m=200, output=50, reasoning=7),
        ),
        # The input excludes the cache here.
        (
            MESSAGES,
            ANTHROPIC_USAGE,
            TokenBuckets(uncached_input=100, cache_read=1000, cache_write_5m=200, cache_write_1h=100, output=50),
        ),
        # Without the breakdown a write is one of five minutes.
        (
            MESSAGES,
            {name: value for name, value in ANTHROPIC_USAGE.items() if name != "cache_creation"},
            TokenBuckets(uncached_input=100, cache_read=1000, cache_write_5m=300, output=50),
        ),
        # The parts of a write are told without their sum.
        (
            MESSAGES,
            {name: value for name, value in ANTHROPIC_USAGE.items() if name != "cache_creation_input_tokens"},
            TokenBuckets(uncached_input=0, cache_read=1000, cache_write_5m=200, cache_write_1h=100, output=50),
        ),
        # What has prices of its own is not text.
        (
            CHAT,
            {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"audio_tokens": 5}},
            TokenBuckets(uncached_input=12, output=3, other=5),
        ),
        (
            MESSAGES,
            {"input_tokens": 5, "output_tokens": 6, "server_tool_use": {"web_search_requests": 2}},
            TokenBuckets(uncached_input=5, output=6, other=2),
        ),
        # Twelve hours cost more than thirty minutes.
        (
            UsageShape("openai", "responses"),
            {
                "input_tokens": 900,
                "output_tokens": 8,
                "input_tokens_details": {
                    "cached_tokens": 100,
                    "cache_write_tokens": 700,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 300, "ttl_12h_tokens": 400},
                },
            },
            TokenBuckets(uncached_input=100, cache_read=100, cache_write_5m=300, cache_write_1h=400, output=8),
        ),
        (UsageShape("openai", "embeddings"), {"prompt_tokens": 8, "total_tokens": 8}, TokenBuckets(uncached_input=8)),
        (
            UsageShape("openai", "responses"),
            {
                "input_tokens": 9,
                "output_tokens": 8,
                "input_tokens_details": {"cached_tokens": 2},
                "output_tokens_details": {"reasoning_tokens": 3},
            },
            TokenBuckets(uncached_input=7, cache_read=2, output=8, reasoning=3),
        ),
    ],
)
def test_no_token_is_in_two_buckets(shape: UsageShape, usage: dict[str, Any], buckets: TokenBuckets) -> None:
    assert read_tokens(shape, {"model": "m", "usage": usage}) == ("m", buckets)


def test_searches_that_openai_makes_stand_beside_the_usage() -> None:
    usage = {"input_tokens": 9, "output_tokens": 8}
    answer = {"model": "m", "usage": usage, "tool_usage": {"web_search": {"num_requests": 2}}}
    assert read_tokens(UsageShape("openai", "responses"), answer) == ("m", TokenBuckets(9, output=8, other=2))


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "many",
        {},
        {"prompt_tokens": "12", "completion_tokens": 3},
        {"prompt_tokens": -5, "completion_tokens": 3},
        {"prompt_tokens": float("inf"), "completion_tokens": 3},
        {"prompt_tokens": float("nan"), "completion_tokens": 3},
        {"prompt_tokens": 3},
    ],
    ids=str,
)
def test_usage_that_makes_no_sense_is_unknown(usage: object) -> None:
    assert read_tokens(CHAT, {"model": "m", "usage": usage}) is None


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "cost"),
    [
        # 600 x 0.15 + 400 x 0.075 + 500 x 0.60 = 90 + 30 + 300 = 420 per million
        ("openai", "gpt-4o-mini", TokenBuckets(600, 400, output=500, reasoning=100), "0.00042"),
        # 1024 x 0.25 + 1024 x 0.025 + 300 x 2 = 256 + 25.6 + 600 = 881.6
        ("openai", "gpt-5-mini", TokenBuckets(1024, 1024, output=300, reasoning=256), "0.0008816"),
        # 100 x 1 + 1000 x 0.1 + 200 x 1.25 + 100 x 2 + 50 x 5 = 100 + 100 + 250 + 200 + 250 = 900
        ("anthropic", "claude-haiku-4-5", TokenBuckets(100, 1000, 200, 100, 50), "0.0009"),
        # 100 x 1 + 1000 x 0.1 + 300 x 1.25 + 50 x 5 = 100 + 100 + 375 + 250 = 825
        ("anthropic", "claude-haiku-4-5", TokenBuckets(100, 1000, 300, output=50), "0.000825"),
        # above 200,000 all of it is dearer: 300,000 x 6 + 1,000 x 22.5 = 1,822,500
        ("anthropic", "claude-sonnet-4-5", TokenBuckets(300_000, output=1000), "1.8225"),
        # 1 x 0.15 = 0.15: one token is not rounded away
        ("openai", "gpt-4o-mini", TokenBuckets(1), "0.00000015"),
        # 8 x 0.02
        ("openai", "text-embedding-3-small", TokenBuckets(8), "0.00000016"),
        # 600 x 0.15 + 400 x 0.075 + 500 x 0.60
        ("openrouter", "openai/gpt-4o-mini", TokenBuckets(600, 400, output=500), "0.00042"),
        # what costs nothing is known to cost nothing
        ("openai", "gpt-4o-mini", TokenBuckets(), "0"),
    ],
)
def test_costs(provider: str, model: str, tokens: TokenBuckets, cost: str) -> None:
    assert calculate_cost(provider, model, tokens, at=AT) == Decimal(cost)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99-imaginary"),
        ("anthropic", "gpt-4o-mini"),
        ("openrouter", "nobody/nothing"),
        ("openai", ""),
        ("nowhere", "gpt-4o-mini"),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(provider: str, model: str) -> None:
    assert calculate_cost(provider, model, TokenBuckets(1000, output=1000)) is None
    assert get_pricing(provider, model) is None


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        # Sold by the hour, the character or not at all: nothing is known of their tokens.
        ("openai", "whisper-1", TokenBuckets(1000)),
        ("openai", "omni-moderation-latest", TokenBuckets(1000)),
        # An embedding model has no price for output, o1-pro none for reading a cache.
        ("openai", "text-embedding-3-small", TokenBuckets(8, output=1)),
        ("openai", "o1-pro", TokenBuckets(8, cache_read=1)),
        # OpenAI's longer cache has a price that the list does not tell.
        ("openai", "gpt-6.1-terra", TokenBuckets(8, cache_write_1h=1)),
        # Text at 2.50, audio at another price.
        ("openai", "gpt-4o-audio-preview", TokenBuckets(1000, output=10, other=1)),
    ],
    ids=str,
)
def test_tokens_without_a_price_make_the_cost_unknown(provider: str, model: str, tokens: TokenBuckets) -> None:
    assert calculate_cost(provider, model, tokens) is None


def test_what_is_published_as_free_costs_nothing() -> None:
    free = "deepseek/deepseek-r1:free"
    assert calculate_cost("openrouter", free, TokenBuckets(1000, output=1000)) == 0
    assert calculate_cost("openai", "gpt-99:free", TokenBuckets(1000)) is None


def test_writing_to_a_cache_without_a_charge_is_input() -> None:
    # 100 x 0.15 + 300 x 0.15 = 60
    assert calculate_cost("openai", "gpt-4o-mini", TokenBuckets(100, cache_write_5m=300)) == Decimal("0.00006")


def test_list_prices() -> None:
    pricing = get_pricing("anthropic", "claude-haiku-4-5", at=AT)
    assert pricing is not None
    assert (pricing.kind, pricing.source, pricing.since) == ("list", price_version(), None)
    assert pricing.standard.base == Rates(
        input=Decimal(1),
        output=Decimal(5),
        cache_read=Decimal("0.1"),
        cache_write_5m=Decimal("1.25"),
        cache_write_1h=Decimal(2),
    )
    assert (pricing.input, pricing.output, pricing.cache_read) == (Decimal(1), Decimal(5), Decimal("0.1"))
    assert (pricing.cache_write, pricing.cache_write_1h) == (Decimal("1.25"), Decimal(2))
    embedding = get_pricing("openai", "text-embedding-3-small", at=AT)
    assert embedding is not None
    assert (embedding.input, embedding.output, embedding.cache_read) == (Decimal("0.02"), None, None)


def test_the_list_is_dated() -> None:
    # OpenAI lowered it on 10 June 2025: 10 and 40 before, 2 and 8 since.
    before = get_pricing("openai", "o3", at=datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC))
    since = get_pricing("openai", "o3", at=datetime(2025, 6, 10, tzinfo=UTC))
    assert before is not None
    assert since is not None
    assert (before.input, before.output, before.since) == (Decimal(10), Decimal(40), None)
    assert (since.input, since.output, since.since) == (Decimal(2), Decimal(8), datetime(2025, 6, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "served", "cost"),
    [
        # 600 x 0.625 + 400 x 0.0625 + 500 x 5 = 375 + 25 + 2500 = 2900, half of the standard 5800
        ("openai", "gpt-5", TokenBuckets(600, 400, output=500), BATCH, "0.0029"),
        ("openai", "gpt-5", TokenBuckets(600, 400, output=500), Served("flex"), "0.0029"),
        # 600 x 2.5 + 400 x 0.25 + 500 x 20 = 1500 + 100 + 10000 = 11600
        ("openai", "gpt-5", TokenBuckets(600, 400, output=500), Served("priority"), "0.0116"),
        # 100 x 0.5 + 1000 x 0.05 + 200 x 0.625 + 100 x 1 + 50 x 2.5 = 50 + 50 + 125 + 100 + 125 = 450
        ("anthropic", "claude-haiku-4-5", TokenBuckets(100, 1000, 200, 100, 50), BATCH, "0.00045"),
        # 1000 x 8 + 100 x 40 = 12000
        ("anthropic", "claude-opus-5-5", TokenBuckets(1000, output=100), Served("fast"), "0.012"),
        # 1000 x 4 + 100 x 20 = 6000, times 1.1
        ("anthropic", "claude-opus-5-5", TokenBuckets(1000, output=100), Served(factor=Decimal("1.1")), "0.0066"),
        # The Batch table names no price for cached input, and none for a tier that OpenAI sells by contract.
        ("openai", "gpt-4o", TokenBuckets(600, 400, output=500), BATCH, None),
        ("openai", "gpt-5", TokenBuckets(600), Served("scale"), None),
        ("anthropic", "claude-haiku-4-5", TokenBuckets(600), Served("priority"), None),
        # No batch price is listed for embeddings.
        ("openai", "text-embedding-3-small", TokenBuckets(600), BATCH, None),
    ],
    ids=str,
)
def test_other_tiers(provider: str, model: str, tokens: TokenBuckets, served: Served, cost: str | None) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    found = calculate_cost(provider, model, tokens, at=now, served=served)
    assert found == (None if cost is None else Decimal(cost))


def test_a_batch_price_counts_from_the_day_on_which_it_was_listed() -> None:
    # Before, it is unknown and not the double.
    tokens = TokenBuckets(600, output=500)
    assert calculate_cost("openai", "gpt-5", tokens, at=datetime(2026, 10, 13, tzinfo=UTC), served=BATCH) is None
    assert calculate_cost("openai", "gpt-5", tokens, at=datetime(2026, 10, 14, tzinfo=UTC), served=BATCH) is not None


@pytest.mark.parametrize(
    ("provider", "answer", "served"),
    [
        ("openai", {}, STANDARD),
        ("openai", {"service_tier": None}, STANDARD),
        ("openai", {"service_tier": "default"}, STANDARD),
        ("openai", {"service_tier": "flex"}, Served("flex")),
        ("openai", {"service_tier": "priority"}, Served("priority")),
        ("anthropic", {}, STANDARD),
        ("anthropic", {"usage": {"service_tier": "standard", "inference_geo": "global"}}, STANDARD),
        ("anthropic", {"usage": {"service_tier": "batch"}}, BATCH),
        ("anthropic", {"usage": {"service_tier": "standard", "speed": "fast"}}, Served("fast")),
        ("anthropic", {"usage": {"service_tier": "batch", "speed": "fast"}}, Served("batch fast")),
        ("anthropic", {"usage": {"inference_geo": "us"}}, Served(factor=Decimal("1.1"))),
        ("anthropic", {"usage": "many"}, STANDARD),
    ],
    ids=str,
)
def test_how_a_call_was_served(provider: str, answer: dict[str, Any], served: Served) -> None:
    assert REGISTRY[provider].served(answer) == served


def test_the_version_says_which_prices_were_applied() -> None:
    pricing = list_pricing("anthropic", "claude-opus-5-5")
    assert pricing is not None
    assert pricing.version() == price_version()
    assert pricing.version(Served("fast", Decimal("1.1"))) == f"{price_version()}, fast, x1.1"
    assert len(pricing.version(Served("a tier of a long name", Decimal("1.1")))) <= 60


@pytest.mark.parametrize(
    ("answered", "asked", "same"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini", True),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5", True),
        ("anthropic/claude-haiku-5.5-20261007", "anthropic/claude-haiku-5.5", True),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku-latest", True),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-0", True),
        ("gpt-4-0613", "gpt-4", True),
        ("GPT-5", "gpt-5", True),
        ("gpt-5-mini", "gpt-5", False),
        ("gpt-4o-mini-2024-07-18", "gpt-4o", False),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4", False),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13", False),
        ("gpt-5", "gpt-5-2025-08-07", False),
        ("", "gpt-5", False),
    ],
)
def test_a_dated_build_is_the_model_that_was_asked(answered: str, asked: str, same: bool) -> None:
    assert is_same_model(answered, asked) is same


def _usage(**fields: Any) -> dict[str, Any]:
    return {"usage": fields}


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (_usage(cost=0.00123), "0.00123"),
        (_usage(cost=0), "0"),
        (_usage(cost=0.0001, is_byok=False, cost_details={"upstream_inference_cost": 5}), "0.0001"),
        # Their fee plus what the vendor bills: 0.0001 + 0.02
        (_usage(cost=0.0001, is_byok=True, cost_details={"upstream_inference_cost": 0.02}), "0.0201"),
        (_usage(cost=0, is_byok=True, cost_details={"upstream_inference_cost": 0.02}), "0.02"),
        (_usage(cost=0.0001, is_byok=True, cost_details={"upstream_inference_cost": None}), None),
        (_usage(cost=0, is_byok=True), None),
        (_usage(cost=None), None),
        (_usage(), None),
        (_usage(cost="free"), None),
        (_usage(cost=True), None),
        (_usage(cost=-1), None),
        (_usage(cost=float("nan")), None),
        ({"usage": None}, None),
        ({}, None),
    ],
    ids=str,
)
def test_openrouters_own_figure(answer: dict[str, Any], cost: str | None) -> None:
    assert REGISTRY["openrouter"].reported_cost(answer) == (None if cost is None else Decimal(cost))


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_others_state_no_cost(provider: str) -> None:
    assert REGISTRY[provider].reported_cost(_usage(cost=1)) is None
