"""Costs to the last digit, worked out by hand from the providers' price pages."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from byok.pricing import Pricing, TokenBuckets, calculate_cost, get_pricing, price_version, read_tokens
from byok.providers import REGISTRY, UsageShape
from tests.byok.fake_provider import ANTHROPIC_USAGE

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


def test_list_prices() -> None:
    assert get_pricing("anthropic", "claude-haiku-4-5", at=AT) == Pricing(
        input=Decimal(1),
        output=Decimal(5),
        cache_read=Decimal("0.1"),
        cache_write=Decimal("1.25"),
        source=price_version(),
    )
    embedding = get_pricing("openai", "text-embedding-3-small", at=AT)
    assert embedding is not None
    assert (embedding.input, embedding.output, embedding.cache_read) == (Decimal("0.02"), None, None)


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
