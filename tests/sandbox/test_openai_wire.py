"""The official openai SDK talks to the sandbox as to the real service."""

import json
import math
from typing import Any

import openai
import pytest
from genai_prices import extract_usage

from tests.sandbox.conftest import NewKey, Sandbox
from tests.sandbox.samples import LEAD, SEARCH_SCHEMA, STACK_SCHEMA, Qualification, tokens

SYSTEM = "You answer questions."
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "search", "description": "Web search", "parameters": SEARCH_SCHEMA}},
    {"type": "function", "function": {"name": "tech_stack_analysis", "parameters": STACK_SCHEMA}},
]


@pytest.fixture
def key(new_key: NewKey) -> str:
    return new_key("openai")


@pytest.fixture
def client(sandbox: Sandbox, key: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=sandbox.openai_url, http_client=sandbox.http, max_retries=0)


def test_chat_answers_with_usage_that_can_be_recounted(client: openai.OpenAI, sandbox: Sandbox, key: str) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": LEAD}]
    )
    text = answer.choices[0].message.content or ""
    assert "andbox" in text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == tokens(SYSTEM, LEAD)
    assert answer.usage.completion_tokens == tokens(text)
    assert answer.usage.total_tokens == tokens(SYSTEM, LEAD) + tokens(text)
    (line,) = sandbox.recorded(key)
    assert line["id"] == answer.id
    assert line["request_id"] == answer._request_id
    assert line["usage"]["input_tokens"] == answer.usage.prompt_tokens
    assert line["usage"]["output_tokens"] == answer.usage.completion_tokens


async def _ask_async(url: str, key: str) -> tuple[str, list[str]]:
    async with openai.AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
        whole = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": LEAD}])
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": LEAD}], stream=True
        )
        streamed = [chunk.choices[0].delta.content or "" async for chunk in stream]
    return whole.choices[0].message.content or "", streamed


def test_the_async_client_reads_the_same_whole_and_streamed(sandbox: Sandbox, key: str) -> None:
    import asyncio

    whole, streamed = asyncio.run(_ask_async(sandbox.openai_url, key))
    assert len(streamed) > 3
    assert "".join(streamed) == whole


def test_a_stream_ends_with_usage_after_the_finish_reason(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": LEAD}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks[:-1])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    usage = chunks[-1].usage
    assert usage is not None
    assert chunks[-1].choices == []
    assert (usage.prompt_tokens, usage.completion_tokens) == (tokens(LEAD), tokens(text))


def test_a_stream_without_include_usage_tells_none(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": LEAD}]
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_a_research_agent_calls_tools_and_then_reports(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "system", "content": "Research the lead."}, {"role": "user", "content": LEAD}]
    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS).choices[0]
    assert first.finish_reason == "tool_calls"
    calls = {call.function.name: call for call in first.message.tool_calls or [] if call.type == "function"}
    assert json.loads(calls["search"].function.arguments) == {"query": "Acme Tools"}
    assert json.loads(calls["tech_stack_analysis"].function.arguments) == {"domain": "acme.example"}
    messages.append(first.message.to_dict())
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": f"{name} says: founded in 1999"}
        for name, call in calls.items()
    ]
    second = client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS).choices[0]
    assert second.finish_reason == "stop"
    report = second.message.content or ""
    assert report.startswith("# Research report: Acme Tools")
    assert "**search**: search says: founded in 1999" in report
    assert "sandbox" in report


def test_streamed_tool_calls_add_up_to_the_same_arguments(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": LEAD}], tools=TOOLS, stream=True
    )
    arguments = {0: "", 1: ""}
    names: dict[int, str | None] = {}
    for chunk in stream:
        for part in chunk.choices[0].delta.tool_calls or []:
            assert part.function is not None
            arguments[part.index] += part.function.arguments or ""
            names[part.index] = part.function.name or names.get(part.index)
    assert names == {0: "search", 1: "tech_stack_analysis"}
    assert [json.loads(text) for text in arguments.values()] == [{"query": "Acme Tools"}, {"domain": "acme.example"}]


def test_tool_choice_is_obeyed(client: openai.OpenAI) -> None:
    def call(**options: Any) -> Any:
        return (
            client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": LEAD}], tools=TOOLS, **options
            )
            .choices[0]
            .message
        )

    assert call(tool_choice="none").tool_calls is None
    assert len(call(tool_choice="required", parallel_tool_calls=False).tool_calls) == 1
    forced = call(tool_choice={"type": "function", "function": {"name": "tech_stack_analysis"}})
    assert [made.function.name for made in forced.tool_calls] == ["tech_stack_analysis"]


def test_an_unanswered_tool_call_is_refused(client: openai.OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    messages: list[Any] = [
        {"role": "user", "content": LEAD},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "user", "content": "And?"},
    ]
    with pytest.raises(openai.BadRequestError, match="call_1"):
        client.chat.completions.create(model="gpt-4o", messages=messages, tools=TOOLS)


def test_structured_output_is_parsed_by_the_sdk(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="gpt-4o-mini", messages=[{"role": "user", "content": LEAD}], response_format=Qualification
    )
    verdict = answer.choices[0].message.parsed
    assert verdict is not None
    assert verdict.category == "QUALIFIED"
    assert "team of 40" in verdict.reason


def test_json_mode_gives_an_object_and_asks_for_the_word(client: openai.OpenAI) -> None:
    def ask(text: str) -> str:
        answer = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": text}],
            response_format={"type": "json_object"},
        )
        return answer.choices[0].message.content or ""

    assert json.loads(ask(f"{LEAD}\nAnswer in JSON."))["category"] == "QUALIFIED"
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        ask(LEAD)


def test_older_models_take_no_schema(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="'json_schema' is not supported"):
        client.chat.completions.parse(
            model="gpt-4-turbo", messages=[{"role": "user", "content": LEAD}], response_format=Qualification
        )


def test_a_token_limit_cuts_the_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "ping"}], max_tokens=1
    )
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].message.content or "") == 4
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 1


def test_reasoning_models_think_and_take_other_parameters(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "ping"}]
    with pytest.raises(openai.BadRequestError, match="max_completion_tokens") as refused:
        client.chat.completions.create(model="gpt-5-mini", messages=messages, max_tokens=100)
    assert refused.value.code == "unsupported_parameter"
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="gpt-5-mini", messages=messages, temperature=0.2)
    answer = client.chat.completions.create(model="gpt-5-mini", messages=messages)
    usage = answer.usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 64
    assert usage.completion_tokens == 64 + tokens(answer.choices[0].message.content or "")
    probe = client.chat.completions.create(model="gpt-5-mini", messages=messages, max_completion_tokens=16)
    assert probe.choices[0].finish_reason == "length"
    assert probe.choices[0].message.content == ""
    assert probe.usage is not None
    assert probe.usage.completion_tokens == 16


def test_half_of_the_prompt_is_cached_when_the_key_says_so(sandbox: Sandbox, new_key: NewKey) -> None:
    client = openai.OpenAI(
        api_key=new_key("openai", "cached"), base_url=sandbox.openai_url, http_client=sandbox.http, max_retries=0
    )
    usage = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": LEAD}]).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == tokens(LEAD) // 2
    extracted = extract_usage(
        {"model": "gpt-4o-2024-08-06", "usage": usage.to_dict()}, provider_id="openai", api_flavor="chat"
    )
    assert extracted.usage.input_tokens == tokens(LEAD)
    assert extracted.usage.cache_read_tokens == tokens(LEAD) // 2


@pytest.mark.parametrize(("model", "dimensions"), [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072)])
def test_embeddings_have_their_dimensions_in_both_encodings(
    client: openai.OpenAI, sandbox: Sandbox, key: str, model: str, dimensions: int
) -> None:
    packed = client.embeddings.create(model=model, input=["pricing for teams", LEAD])
    plain = client.embeddings.create(model=model, input=["pricing for teams", LEAD], encoding_format="float")
    assert [len(item.embedding) for item in packed.data] == [dimensions] * 2
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-6)
    assert math.hypot(*plain.data[0].embedding) == pytest.approx(1)
    assert packed.usage.prompt_tokens == tokens("pricing for teams") + tokens(LEAD)
    assert [line["usage"]["input_tokens"] for line in sandbox.recorded(key, kind="embeddings")] == [
        packed.usage.prompt_tokens
    ] * 2


def test_embedding_dimensions_can_be_shortened_but_not_stretched(client: openai.OpenAI) -> None:
    short = client.embeddings.create(model="text-embedding-3-small", input="hello", dimensions=256)
    assert len(short.data[0].embedding) == 256
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model="text-embedding-3-small", input="hello", dimensions=4096)


@pytest.mark.parametrize("wrong", ["", [], [""], ["fine", ""]])
def test_empty_embedding_input_is_refused(client: openai.OpenAI, wrong: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="input"):
        client.embeddings.create(model="text-embedding-3-small", input=wrong)


def test_models_are_listed_and_looked_up(client: openai.OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert {"gpt-5", "gpt-4o-mini", "gpt-4-turbo", "gpt-3.5-turbo", "text-embedding-3-small"} <= listed
    assert client.models.retrieve("gpt-4").id == "gpt-4"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_an_unknown_model_and_a_wrong_kind_of_model_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="not a chat model"):
        client.chat.completions.create(model="text-embedding-3-small", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="not allowed to generate embeddings"):
        client.embeddings.create(model="gpt-4o", input="x")


def test_a_prompt_longer_than_the_context_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "word " * 8_000}])
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.embeddings.create(model="text-embedding-3-small", input="word " * 8_000)


def test_an_unserved_path_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/responses\)"):
        client.responses.create(model="gpt-4o", input="hello")
