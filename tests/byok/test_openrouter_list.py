"""OpenRouter's list as data from outside: what is read, what is left out, what is refused whole."""

import contextlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byok.catalog.fetching import ListUnavailable
from byok.catalog.openrouter_list import read_list
from tests.byok.openrouter_entry import ENTRY

TODAY = date(2026, 11, 26)


def read(*entries: Any) -> Any:
    models, skipped = read_list(json.dumps({"data": entries}).encode(), today=TODAY)
    return models, skipped


def test_one_entry_fact_by_fact() -> None:
    ((model,), skipped) = read(ENTRY)
    assert skipped == 0
    assert (model.model_id, model.vendor, model.name, model.kind) == ("acme/flagship", "acme", "Flagship", "chat")
    assert model.description == "Reads and writes."
    assert (model.context_window, model.max_output, model.released_on) == (200_000, 64_000, date(2026, 1, 1))
    assert (model.input_modalities, model.output_modalities) == (("text", "image"), ("text",))
    assert model.capabilities == ("tools", "structured_output", "reasoning", "vision")
    assert model.prices == {
        "input_price": Decimal("2.5"),
        "output_price": Decimal("15"),
        "cache_read_price": Decimal("0.25"),
        "cache_write_price": Decimal("3.125"),
    }
    assert model.price_source == "openrouter 2026-11-26"


@pytest.mark.parametrize("price", ["-1", "", "NaN", "Infinity", "1e400", "free", None, 0.000001, "9" * 41, "1000000"])
def test_no_price_is_unknown_and_never_zero(price: Any) -> None:
    ((model,), _) = read({**ENTRY, "pricing": {"prompt": price, "completion": "0"}})
    assert model.prices == {"output_price": 0}


def test_a_price_of_nothing_is_zero() -> None:
    ((model,), _) = read({**ENTRY, "id": "acme/flagship:free", "pricing": {"prompt": "0", "completion": "0"}})
    assert model.prices == {"input_price": 0, "output_price": 0}


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "flagship"},
        {"id": "acme/flag ship"},
        {"id": "acme/<script>"},
        {"id": "acme/" + "x" * 200},
        {"id": None},
        {"id": 7},
        {"context_length": -1},
        {"context_length": 2**40},
        {"pricing": "cheap"},
        {"architecture": []},
        {"name": {"en": "Flagship"}},
    ],
    ids=str,
)
def test_an_odd_entry_is_left_out_and_counted(odd: dict[str, Any]) -> None:
    models, skipped = read({**ENTRY, **odd}, {**ENTRY, "id": "acme/sound"})
    assert [model.model_id for model in models] == ["acme/sound"]
    assert skipped == 1


def test_what_is_left_out_of_an_entry_is_unknown() -> None:
    ((model,), _) = read({"id": "acme/bare"})
    assert (model.name, model.prices, model.capabilities, model.context_window) == ("acme/bare", {}, None, None)
    assert model.price_source == ""


def test_text_is_capped_and_holds_no_control_characters() -> None:
    ((model,), _) = read({**ENTRY, "name": "Acme: \x00" + "n" * 500, "description": "\u202e<script>" + "d" * 5000})
    assert len(model.name) <= 200
    assert len(model.description) <= 1000
    assert "\x00" not in model.name
    assert "\u202e" not in model.description


@pytest.mark.parametrize(
    ("created", "day"), [(0, None), (-1, None), (10**15, None), (99999999999, None), (1700000000, date(2023, 11, 14))]
)
def test_days_that_cannot_be_are_unknown(created: int, day: date | None) -> None:
    ((model,), _) = read({**ENTRY, "created": created})
    assert model.released_on == day


def test_kinds() -> None:
    models, _ = read(
        {**ENTRY, "id": "a/embed", "architecture": {"output_modalities": ["embeddings"]}},
        {**ENTRY, "id": "a/paint", "architecture": {"output_modalities": ["image"]}},
        {**ENTRY, "id": "a/both", "architecture": {"output_modalities": ["text", "image"]}},
        {**ENTRY, "id": "a/later:batch"},
    )
    assert [model.kind for model in models] == ["embedding", "other", "chat", "other"]
    assert "output_price" not in models[0].prices
    assert models[0].max_output is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"data": {}}', b'{"error": "x"}', b'{"data": [', b"\xff"]
)
def test_a_broken_document_is_refused_whole(body: bytes) -> None:
    with pytest.raises(ListUnavailable, match="no list of models"):
        read_list(body, today=TODAY)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_but_a_list_or_a_refusal(document: Any) -> None:
    with contextlib.suppress(ListUnavailable):
        read_list(json.dumps({"data": [document, {**ENTRY, "top_provider": document}]}).encode(), today=TODAY)
