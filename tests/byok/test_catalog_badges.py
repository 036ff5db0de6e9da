"""Marks and "best for", from a model's facts alone."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from byok.catalog.badges import badges_of, best_for
from byok.models import CatalogModel
from tests.byok.catalog_rows import CHECKED

TODAY = date(2026, 11, 26)


def model(**fields: Any) -> CatalogModel:
    plain: dict[str, Any] = {
        "route": "openrouter", "model_id": "x/y", "vendor": "x", "name": "Y", "source": "test", "checked_on": CHECKED,
    }  # fmt: skip
    return CatalogModel(**plain | fields)


def names(row: CatalogModel, **more: Any) -> list[str]:
    return [badge.name for badge in badges_of(row, today=TODAY, **more)]


def test_a_plain_model_has_no_mark() -> None:
    assert names(model(tier="balanced", released_on=date(2025, 1, 1))) == []


@pytest.mark.parametrize(
    ("released", "is_new"),
    [
        (TODAY, True),
        (TODAY - timedelta(days=59), True),
        (TODAY - timedelta(days=60), False),
        (TODAY + timedelta(days=1), False),
    ],
)
def test_new_for_sixty_days(released: date, is_new: bool) -> None:
    assert names(model(released_on=released)) == (["new"] if is_new else [])


@pytest.mark.parametrize(
    ("popularity", "from_", "is_popular"),
    [(0, None, False), (0, 0, False), (1, None, True), (1, 0, True), (9, 10, False), (10, 10, True)],
)
def test_popular_is_called_and_among_the_most_called(popularity: int, from_: int | None, is_popular: bool) -> None:
    assert names(model(popularity=popularity), popular_from=from_) == (["popular"] if is_popular else [])


@pytest.mark.parametrize(
    ("retired", "name"),
    [(TODAY, "retired"), (TODAY + timedelta(days=1), "retiring"), (TODAY - timedelta(days=400), "retired")],
)
def test_retirement_names_the_day_and_the_successor(retired: date, name: str) -> None:
    [badge] = badges_of(model(retired_on=retired, successor="x/z"), today=TODAY)
    assert badge.name == name
    assert str(retired.year) in badge.why
    assert badge.why.endswith("Use x/z instead.")


def test_what_its_provider_lists_no_more() -> None:
    assert names(model(vanished_at=datetime(2026, 11, 1, tzinfo=UTC))) == ["unlisted"]


def test_all_at_once_begin_with_what_has_to_be_heeded() -> None:
    row = model(
        retired_on=TODAY + timedelta(days=9),
        popularity=5,
        tier="cheap",
        is_fast=True,
        released_on=TODAY,
        organization_id=1,
    )
    expected = ["retiring", "top", "popular", "cheap", "fast", "new", "own"]
    assert names(row, is_recommended=True) == expected


def test_free_is_said_only_where_both_prices_are_known_to_be_nothing() -> None:
    assert [
        b.word for b in badges_of(model(tier="cheap", input_price=Decimal(0), output_price=Decimal(0)), today=TODAY)
    ] == ["Free"]
    assert [
        b.word for b in badges_of(model(tier="cheap", input_price=Decimal(0), output_price=Decimal(1)), today=TODAY)
    ] == ["Cheap"]
    assert [b.word for b in badges_of(model(tier="cheap"), today=TODAY)] == ["Cheap"]


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, ["writing and conversation"]),
        (
            {"tier": "premium", "capabilities": ["tools", "structured_output", "reasoning", "vision"], "context_window": 200_000},
            ["complex reasoning and analysis", "agents and typed answers", "long documents"],
        ),
        (
            {"tier": "cheap", "is_fast": True, "capabilities": ["tools"], "context_window": 1_048_576},
            ["simple tasks in high volume", "quick answers", "very long documents"],
        ),
        ({"tier": "cheap", "capabilities": ["reasoning"]}, ["simple tasks in high volume", "reasoning on a budget"]),
        ({"input_price": Decimal("0.5")}, ["simple tasks in high volume", "writing and conversation"]),
        ({"input_modalities": ["text", "image", "audio"], "capabilities": ["tools"]}, ["agents that use tools", "reading images", "listening to audio"]),
        ({"kind": "embedding", "tier": "cheap"}, ["finding documents by meaning", "large knowledge bases"]),
        ({"kind": "embedding", "tier": "premium"}, ["finding documents by meaning", "the most precise matches"]),
        ({"kind": "other", "output_modalities": ["image", "audio"]}, ["making images", "making audio"]),
        ({"kind": "other", "input_modalities": ["audio"], "output_modalities": ["text"]}, ["writing down speech"]),
        ({"kind": "other"}, []),
    ],
)  # fmt: skip
def test_best_for(fields: dict[str, Any], parts: list[str]) -> None:
    assert best_for(model(**fields)) == parts
