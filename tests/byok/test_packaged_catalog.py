"""The packaged facts: complete, valid, of this price list, and with every model that the product was asked for."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version

import pytest

from byok.catalog.packaged import FILE, read_packaged
from byok.models import Capability, ModelKind
from byok.providers import REGISTRY

CONTENT = json.loads(FILE.read_text())
MODELS = {(model["route"], model["id"]): model for model in CONTENT["models"]}
TODAY = date(2026, 11, 25)

# What the customers of the former system could choose, by the names they knew; with whether it is over by now.
ASKED_FOR = {
    ("openrouter", "openai/gpt-4-turbo"): True,
    ("openrouter", "openai/gpt-4o"): False,
    ("openrouter", "anthropic/claude-3.5-sonnet"): True,
    ("openrouter", "anthropic/claude-3-opus"): True,
    ("openrouter", "google/gemini-pro-1.5"): True,
    ("openrouter", "anthropic/claude-3-haiku"): False,
    ("openrouter", "openai/gpt-3.5-turbo"): True,
    ("openrouter", "google/gemini-flash-1.5"): True,
    ("openrouter", "meta-llama/llama-3-70b-instruct"): False,
    ("openrouter", "mistralai/mixtral-8x7b-instruct"): False,
    ("openrouter", "deepseek/deepseek-chat"): False,
    ("openrouter", "openai/gpt-5"): False,
    ("openrouter", "openai/text-embedding-3-small"): False,
    ("openrouter", "openai/text-embedding-3-large"): False,
    ("openai", "gpt-4-turbo"): True,
    ("openai", "gpt-4"): True,
    ("openai", "gpt-4o"): False,
    ("openai", "gpt-3.5-turbo"): True,
    ("openai", "gpt-5"): False,
    ("openai", "text-embedding-3-small"): False,
    ("openai", "text-embedding-3-large"): False,
    ("anthropic", "claude-3-5-sonnet-20241022"): True,
    ("anthropic", "claude-3-haiku-20240307"): True,
    ("anthropic", "claude-3-opus-20240229"): True,
}


def test_the_file_is_of_the_installed_price_list() -> None:
    """An upgrade of genai-prices asks for a rebuild: `scripts/build_catalog`."""
    assert CONTENT["about"]["genai_prices"] == version("genai-prices")
    assert all(source["name"] for source in CONTENT["about"]["sources"])


def test_how_many_there_are() -> None:
    routes = Counter(route for route, _ in MODELS)
    assert routes["openrouter"] > 700
    assert routes["openai"] > 90
    assert routes["anthropic"] > 25
    assert len(MODELS) == len(CONTENT["models"])
    listed = read_packaged().models
    assert sum(bool(model.prices) for model in listed) > 880
    assert sum(model.context_window is not None for model in listed) > 650
    assert sum(bool(model.input_modalities) for model in listed) > 550


@pytest.mark.parametrize(("name", "is_over"), ASKED_FOR.items(), ids=str)
def test_what_was_asked_for_is_there(name: tuple[str, str], is_over: bool) -> None:
    model = MODELS[name]
    assert model["context"]
    assert model["name"]
    retired = model.get("retired")
    assert (retired is not None and date.fromisoformat(retired) <= TODAY) is is_over
    if is_over:
        # Where its users go from there.
        assert (name[0], model["successor"]) in MODELS


@pytest.mark.parametrize("model", CONTENT["models"], ids=lambda model: f"{model['route']}:{model['id']}")
def test_each_model_is_valid(model: dict[str, object]) -> None:
    route, model_id = str(model["route"]), str(model["id"])
    assert route in REGISTRY
    assert REGISTRY[route].check_model(model_id) == model_id
    assert model["kind"] in ModelKind
    assert model["vendor"]
    assert 0 < len(str(model["name"])) <= 200
    for name in ("context", "max_output"):
        assert isinstance(model.get(name, 1), int)
        assert int(str(model.get(name, 1))) > 0
    assert {*model.get("inputs", ()), *model.get("outputs", ())} <= {  # type: ignore[misc]
        "text",
        "image",
        "audio",
        "video",
        "file",
        "embeddings",
    }
    assert set(model.get("capabilities", ())) <= set(Capability.values)  # type: ignore[call-overload]
    for name in ("released", "retired"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(model.get(name, "2026-01-01")))
    assert ("successor" in model) <= ("retired" in model)
    if successor := model.get("successor"):
        assert (route, successor) in MODELS
        assert successor != model_id


def test_no_successor_is_over_before_what_it_follows() -> None:
    for (route, model_id), model in MODELS.items():
        if successor := model.get("successor"):
            ends = MODELS[route, successor].get("retired", "9999-12-31")
            assert ends > model["retired"], f"{model_id} -> {successor}"


def test_prices_are_those_of_the_day() -> None:
    """GPT-5.6 Sol became cheaper on 21 August 2026: https://openai.com/api/pricing."""

    def input_price(at: datetime) -> Decimal:
        models = {(model.route, model.model_id): model for model in read_packaged(at=at).models}
        return models["openai", "gpt-5.6-sol"].prices["input_price"]

    after = input_price(datetime(2026, 8, 22, tzinfo=UTC))
    assert after == Decimal(4)
    assert input_price(datetime(2026, 8, 20, tzinfo=UTC)) > after


def test_free_variants_cost_nothing_and_embeddings_have_no_output() -> None:
    for model in read_packaged().models:
        if model.model_id.endswith(":free"):
            assert model.prices == {"input_price": 0, "output_price": 0}
        if model.kind == "embedding":
            assert "output_price" not in model.prices
            assert model.prices["input_price"] > 0
            assert model.max_output is None
