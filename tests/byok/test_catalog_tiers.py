"""Tiers by price and size: the rule's borders, and models whose place the product was asked to show."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byok.catalog.packaged import read_packaged
from byok.catalog.tiers import blended_price, is_small, tier_of

PRICE = st.decimals(min_value=0, max_value=1000, places=6)


def priced(blended: str) -> dict[str, Decimal | None]:
    return {"input_price": Decimal(blended), "output_price": Decimal(blended)}


@pytest.mark.parametrize(
    ("blended", "tier", "tier_of_small"),
    [
        ("0", "cheap", "cheap"),
        ("0.599999", "cheap", "cheap"),
        ("0.60", "balanced", "balanced"),
        ("2.00", "balanced", "balanced"),
        ("2.000001", "premium", "balanced"),
        ("75", "premium", "balanced"),
    ],
)
def test_borders(blended: str, tier: str, tier_of_small: str) -> None:
    assert tier_of("vendor/large", priced(blended)) == tier
    assert tier_of("vendor/model-mini", priced(blended)) == tier_of_small


def test_three_parts_input_to_one_part_output() -> None:
    assert blended_price(Decimal("1"), Decimal("5")) == Decimal(2)


@pytest.mark.parametrize("missing", ["input_price", "output_price"])
def test_no_price_no_tier(missing: str) -> None:
    assert tier_of("m", {**priced("1"), missing: None}) == ""
    assert tier_of("m", {}) == ""


@given(input_price=PRICE, output_price=PRICE, more=PRICE)
def test_dearer_is_never_a_lower_tier(input_price: Decimal, output_price: Decimal, more: Decimal) -> None:
    order = ["cheap", "balanced", "premium"]
    before = tier_of("m", {"input_price": input_price, "output_price": output_price})
    after = tier_of("m", {"input_price": input_price + more, "output_price": output_price + more})
    assert order.index(after) >= order.index(before)


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("anthropic/claude-haiku-5.5", True),
        ("gpt-5-mini", True),
        ("google/gemini-flash-1.5", True),
        ("qwen/qwen3-0.6b", True),
        ("meta-llama/llama-3-8b-instruct:free", True),
        ("meta-llama/llama-3-70b-instruct", False),
        ("mistralai/mixtral-8x7b-instruct", False),
        # Three billion at work out of thirty.
        ("qwen/qwen3-30b-a3b", False),
        ("openai/gpt-4-turbo", False),
        # "mini" inside a word is none.
        ("google/gemini-2.5-pro", False),
        ("minimax/minimax-m2", False),
    ],
)
def test_size_by_name(name: str, small: bool) -> None:
    assert is_small(name) is small


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("openai/gpt-4-turbo", "premium"),
        ("openai/gpt-4o", "premium"),
        ("anthropic/claude-3.5-sonnet", "premium"),
        ("anthropic/claude-3-opus", "premium"),
        ("google/gemini-pro-1.5", "premium"),
        ("anthropic/claude-3-haiku", "cheap"),
        ("openai/gpt-3.5-turbo", "balanced"),
        ("google/gemini-flash-1.5", "cheap"),
        ("meta-llama/llama-3-70b-instruct", "cheap"),
        ("mistralai/mixtral-8x7b-instruct", "cheap"),
        ("deepseek/deepseek-chat", "cheap"),
    ],
)
def test_models_that_were_named(name: str, tier: str) -> None:
    model = next(model for model in read_packaged().models if model.model_id == name)
    assert tier_of(name, model.prices) == tier
