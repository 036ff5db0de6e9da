"""OpenRouter's additions to OpenAI's wire: cost, key and generation lookups, the public model list."""

import json
import time
from decimal import Decimal
from typing import Any

import openai
import pytest
from genai_prices import extract_usage

from tests.sandbox.conftest import NewKey, Sandbox
from tests.sandbox.samples import LEAD, tokens

MODEL = "anthropic/claude-3.5-sonnet"
# US dollars per token of that model, as OpenRouter publishes them.
INPUT, OUTPUT, CACHE_READ = Decimal("0.000003"), Decimal("0.000015"), Decimal("0.0000003")


@pytest.fixture
def key(new_key: NewKey) -> str:
    return new_key("openrouter")


def _post(sandbox: Sandbox, key: str, **body: Any) -> Any:
    """A chat completion read with exact decimals."""
    answer = sandbox.http.post(
        f"{sandbox.openrouter_url}/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": MODEL, "messages": [{"role": "user", "content": LEAD}], **body},
    )
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def test_the_cost_is_exact(sandbox: Sandbox, key: str) -> None:
    answer = _post(sandbox, key)
    usage = answer["usage"]
    text = answer["choices"][0]["message"]["content"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (tokens(LEAD), tokens(text))
    cost = tokens(LEAD) * INPUT + tokens(text) * OUTPUT
    assert usage["cost"] == cost
    assert usage["is_byok"] is False
    assert usage["cost_details"]["upstream_inference_cost"] == cost
    assert usage["cost_details"]["upstream_inference_prompt_cost"] == tokens(LEAD) * INPUT
    assert (answer["provider"], answer["model"]) == ("Anthropic", MODEL)
    (line,) = sandbox.recorded(key)
    assert Decimal(line["usage"]["cost"]) == cost


def test_cached_tokens_are_cheaper_and_a_caller_with_an_own_upstream_key_pays_the_fee(
    sandbox: Sandbox, new_key: NewKey
) -> None:
    cached = _post(sandbox, new_key("openrouter", "cached"))["usage"]
    read = tokens(LEAD) // 2
    assert cached["prompt_tokens_details"]["cached_tokens"] == read
    output = cached["completion_tokens"] * OUTPUT
    assert cached["cost"] == (tokens(LEAD) - read) * INPUT + read * CACHE_READ + output
    own = _post(sandbox, new_key("openrouter", "ownupstream"))["usage"]
    upstream = tokens(LEAD) * INPUT + own["completion_tokens"] * OUTPUT
    assert own["is_byok"] is True
    assert own["cost_details"]["upstream_inference_cost"] == upstream
    assert own["cost"] == upstream * Decimal("0.05")


def test_a_stream_always_ends_with_usage_and_skips_comments(sandbox: Sandbox, key: str) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": LEAD}], "stream": True}
    headers = {"authorization": f"Bearer {key}"}
    raw = sandbox.http.post(f"{sandbox.openrouter_url}/chat/completions", headers=headers, json=body).text
    assert raw.startswith(": OPENROUTER PROCESSING\n\n")
    client = openai.OpenAI(api_key=key, base_url=sandbox.openrouter_url, http_client=sandbox.http, max_retries=0)
    chunks = list(client.chat.completions.create(**body))  # type: ignore[call-overload]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage.to_dict()
    assert Decimal(str(usage["cost"])) == tokens(LEAD) * INPUT + tokens(text) * OUTPUT
    extracted = extract_usage({"model": MODEL, "usage": usage}, provider_id="openrouter", api_flavor="chat")
    assert (extracted.usage.input_tokens, extracted.usage.output_tokens) == (tokens(LEAD), tokens(text))


def test_attribution_headers_are_recorded(sandbox: Sandbox, key: str) -> None:
    client = openai.OpenAI(
        api_key=key,
        base_url=sandbox.openrouter_url,
        default_headers={"HTTP-Referer": "https://lead.example", "X-Title": "Lead Agent"},
    )
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    (line,) = sandbox.recorded(key)
    assert (line["http_referer"], line["x_title"]) == ("https://lead.example", "Lead Agent")
    assert line["user_agent"].startswith("OpenAI/Python")


def test_the_model_list_is_public_and_prices_are_strings_per_token(sandbox: Sandbox) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}):
        answer = sandbox.http.get(f"{sandbox.openrouter_url}/models", headers=headers)
        assert answer.status_code == 200
    models = {model["id"]: model for model in answer.json()["data"]}
    assert {
        "openai/gpt-4-turbo",
        "google/gemini-pro-1.5",
        "meta-llama/llama-3-70b-instruct",
        "mistralai/mixtral-8x7b-instruct",
        "deepseek/deepseek-chat",
        "openai/text-embedding-3-small",
    } <= models.keys()
    sonnet = models[MODEL]
    assert sonnet["pricing"]["prompt"] == "0.000003"
    assert sonnet["pricing"]["input_cache_read"] == "0.0000003"
    assert sonnet["context_length"] == 200_000
    assert sonnet["architecture"]["input_modalities"] == ["text", "image"]
    assert sonnet["top_provider"]["max_completion_tokens"] == 8192
    assert models["openai/text-embedding-3-small"]["architecture"]["output_modalities"] == ["embeddings"]


def _key_info(sandbox: Sandbox, key: str) -> Any:
    answer = sandbox.http.get(f"{sandbox.openrouter_url}/key", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)["data"]


def test_the_key_lookup_adds_up_what_the_key_spent(sandbox: Sandbox, key: str) -> None:
    assert _key_info(sandbox, key)["usage"] == 0
    cost = sum(_post(sandbox, key)["usage"]["cost"] for _ in range(2))
    info = _key_info(sandbox, key)
    assert info["usage"] == info["usage_daily"] == info["usage_weekly"] == info["usage_monthly"] == cost
    assert info["limit_remaining"] == 100 - cost
    assert (info["is_management_key"], info["is_free_tier"], info["expires_at"]) == (False, False, None)
    assert key not in json.dumps(info, default=str)


def test_the_key_lookup_shows_what_is_special(sandbox: Sandbox, new_key: NewKey) -> None:
    assert _key_info(sandbox, new_key("openrouter", "nocredit"))["limit_remaining"] == 0
    assert _key_info(sandbox, new_key("openrouter", "unlimited"))["limit"] is None
    management = new_key("openrouter", "management")
    assert _key_info(sandbox, management)["is_management_key"] is True
    client = openai.OpenAI(api_key=management, base_url=sandbox.openrouter_url, http_client=sandbox.http, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])


def _generation(sandbox: Sandbox, key: str, generation: str) -> Any:
    return sandbox.http.get(
        f"{sandbox.openrouter_url}/generation", params={"id": generation}, headers={"authorization": f"Bearer {key}"}
    )


def test_a_generation_can_be_looked_up_by_its_own_key_only(sandbox: Sandbox, key: str, new_key: NewKey) -> None:
    made = _post(sandbox, key)
    found = json.loads(_generation(sandbox, key, made["id"]).text, parse_float=Decimal)["data"]
    assert found["total_cost"] == made["usage"]["cost"]
    assert found["native_tokens_prompt"] == made["usage"]["prompt_tokens"]
    assert found["native_tokens_completion"] == made["usage"]["completion_tokens"]
    assert (found["cancelled"], found["streamed"], found["provider_name"]) == (False, False, "Anthropic")
    assert _generation(sandbox, new_key("openrouter"), made["id"]).status_code == 404
    assert _generation(sandbox, key, "gen-0-none").status_code == 404


def test_a_cancelled_stream_is_billed_up_to_its_end(sandbox: Sandbox, new_key: NewKey) -> None:
    key = new_key("openrouter", "slow1")
    client = openai.OpenAI(api_key=key, base_url=sandbox.openrouter_url, http_client=sandbox.http, max_retries=0)
    stream = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": LEAD}], stream=True)
    generation = next(iter(stream)).id
    stream.close()
    (begun,) = sandbox.recorded(key)
    for _ in range(40):
        (line,) = sandbox.recorded(key)
        if line.get("cancelled"):
            break
        time.sleep(0.1)
    assert line["cancelled"] is True
    assert 0 < line["usage"]["output_tokens"] < begun["usage"]["output_tokens"]
    plain = new_key("openrouter")
    assert _generation(sandbox, plain, generation).status_code == 404
    found = json.loads(_generation(sandbox, key, generation).text, parse_float=Decimal)["data"]
    assert found["cancelled"] is True
    assert found["total_cost"] == tokens(LEAD) * INPUT + line["usage"]["output_tokens"] * OUTPUT


def test_a_generation_is_named_in_a_header_too(sandbox: Sandbox, key: str) -> None:
    answer = sandbox.http.post(
        f"{sandbox.openrouter_url}/chat/completions",
        json={"model": MODEL, "messages": [{"role": "user", "content": LEAD}]},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.headers["x-generation-id"] == answer.json()["id"]


def test_a_generation_paid_upstream_tells_both_parts(sandbox: Sandbox, new_key: NewKey) -> None:
    key = new_key("openrouter", "ownupstream")
    made = _post(sandbox, key)
    found = json.loads(_generation(sandbox, key, made["id"]).text, parse_float=Decimal)["data"]
    assert found["is_byok"] is True
    assert found["total_cost"] == made["usage"]["cost"]
    assert found["upstream_inference_cost"] == made["usage"]["cost_details"]["upstream_inference_cost"]


def test_embeddings_cost_what_their_tokens_cost(sandbox: Sandbox, key: str) -> None:
    answer = sandbox.http.post(
        f"{sandbox.openrouter_url}/embeddings",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "openai/text-embedding-3-small", "input": [LEAD]},
    )
    usage = json.loads(answer.text, parse_float=Decimal)["usage"]
    assert usage["prompt_tokens"] == tokens(LEAD)
    assert usage["cost"] == tokens(LEAD) * Decimal("0.00000002")
    assert len(answer.json()["data"][0]["embedding"]) == 1536


def test_models_that_are_not_there(sandbox: Sandbox, key: str) -> None:
    client = openai.OpenAI(api_key=key, base_url=sandbox.openrouter_url, http_client=sandbox.http, max_retries=0)
    with pytest.raises(openai.NotFoundError, match="No endpoints found for acme/none"):
        client.chat.completions.create(model="acme/none", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError, match=r"claude-3\.5-sonnet is not a valid model ID"):
        client.chat.completions.create(model="claude-3.5-sonnet", messages=[{"role": "user", "content": "hi"}])


def test_a_fallback_model_answers_and_is_billed(sandbox: Sandbox, key: str) -> None:
    answer = _post(sandbox, key, model="acme/none", models=["openai/gpt-4o-mini:nitro"])
    assert answer["model"] == "openai/gpt-4o-mini:nitro"
    expected = tokens(LEAD) * Decimal("0.00000015") + answer["usage"]["completion_tokens"] * Decimal("0.0000006")
    assert answer["usage"]["cost"] == expected
