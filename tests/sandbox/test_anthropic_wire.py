"""The official anthropic SDK talks to the sandbox as to the real service."""

import asyncio
from typing import Any

import anthropic
import pytest
from genai_prices import extract_usage

from tests.sandbox.conftest import NewKey, Sandbox
from tests.sandbox.samples import LEAD, SEARCH_SCHEMA, STACK_SCHEMA, Qualification, tokens

MODEL = "claude-haiku-4-5"
TOOLS: list[Any] = [
    {"name": "search", "description": "Web search", "input_schema": SEARCH_SCHEMA},
    {"name": "tech_stack_analysis", "input_schema": STACK_SCHEMA},
]
LONG = "Background about our offer. " * 200


@pytest.fixture
def key(new_key: NewKey) -> str:
    return new_key("anthropic")


@pytest.fixture
def client(sandbox: Sandbox, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=sandbox.anthropic_url, http_client=sandbox.http, max_retries=0)


def _text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_is_answered_with_usage(client: anthropic.Anthropic, sandbox: Sandbox, key: str) -> None:
    answer = client.messages.create(
        model=MODEL, max_tokens=500, system="Be brief.", messages=[{"role": "user", "content": LEAD}]
    )
    assert "andbox" in _text(answer)
    assert answer.stop_reason == "end_turn"
    assert answer.model == "claude-haiku-4-5-20251001"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (tokens("Be brief.", LEAD), tokens(_text(answer)))
    assert (answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens) == (0, 0)
    (line,) = sandbox.recorded(key)
    assert (line["id"], line["request_id"]) == (answer.id, answer._request_id)
    assert (line["model"], line["stream"]) == (MODEL, False)


def test_the_key_is_read_from_either_header(sandbox: Sandbox, key: str) -> None:
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
        versioned = {**headers, "anthropic-version": "2023-06-01"}
        assert sandbox.http.get(f"{sandbox.anthropic_url}/v1/models", headers=versioned).status_code == 200


def test_the_version_header_is_required(sandbox: Sandbox, key: str) -> None:
    answer = sandbox.http.get(f"{sandbox.anthropic_url}/v1/models", headers={"x-api-key": key})
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"] == {
        "type": "invalid_request_error",
        "message": "anthropic-version: header is required",
    }
    assert answer.json()["request_id"] == answer.headers["request-id"]


def test_tools_are_called_answered_and_reported(client: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": LEAD}]
    first = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    calls = [block for block in first.content if block.type == "tool_use"]
    assert {call.name: call.input for call in calls} == {
        "search": {"query": "Acme Tools"},
        "tech_stack_analysis": {"domain": "acme.example"},
    }
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "Uses PostgreSQL"} for call in calls]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    assert second.stop_reason == "end_turn"
    assert "**tech_stack_analysis**: Uses PostgreSQL" in _text(second)


def test_tool_choice_is_obeyed(client: anthropic.Anthropic) -> None:
    def names(choice: Any) -> list[str]:
        answer = client.messages.create(
            model=MODEL,
            max_tokens=500,
            messages=[{"role": "user", "content": LEAD}],
            tools=TOOLS,
            tool_choice=choice,
        )
        return [block.name for block in answer.content if block.type == "tool_use"]

    assert names({"type": "none"}) == []
    assert names({"type": "any", "disable_parallel_tool_use": True}) == ["search"]
    assert names({"type": "tool", "name": "tech_stack_analysis"}) == ["tech_stack_analysis"]


def test_tool_results_must_answer_the_calls(client: anthropic.Anthropic) -> None:
    used = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}}
    asked: list[Any] = [{"role": "user", "content": LEAD}, {"role": "assistant", "content": [used]}]
    with pytest.raises(anthropic.BadRequestError, match="without `tool_result` blocks"):
        client.messages.create(
            model=MODEL, max_tokens=9, messages=[*asked, {"role": "user", "content": "And?"}], tools=TOOLS
        )
    stray: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "content": "x"}]}
    with pytest.raises(anthropic.BadRequestError, match="unexpected `tool_use_id`"):
        client.messages.create(model=MODEL, max_tokens=9, messages=[asked[0], stray], tools=TOOLS)


def test_structured_output_is_parsed_by_the_sdk(client: anthropic.Anthropic) -> None:
    answer = client.messages.parse(
        model=MODEL, max_tokens=500, messages=[{"role": "user", "content": LEAD}], output_format=Qualification
    )
    assert isinstance(answer.parsed_output, Qualification)
    assert answer.parsed_output.category == "QUALIFIED"
    with pytest.raises(anthropic.BadRequestError, match="structured outputs are not supported"):
        client.messages.parse(
            model="claude-3-haiku-20240307",
            max_tokens=500,
            messages=[{"role": "user", "content": LEAD}],
            output_format=Qualification,
        )


def test_a_stream_reads_like_the_whole(client: anthropic.Anthropic, sandbox: Sandbox, key: str) -> None:
    messages: list[Any] = [{"role": "user", "content": LEAD}]
    whole = client.messages.create(model=MODEL, max_tokens=500, messages=messages)
    with client.messages.stream(model=MODEL, max_tokens=500, messages=messages) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_delta") > 3
    assert _text(final) == _text(whole)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    assert [line["stream"] for line in sandbox.recorded(key)] == [False, True]


async def _stream_tools(url: str, key: str) -> list[Any]:
    async with (
        anthropic.AsyncAnthropic(api_key=key, base_url=url, max_retries=0) as client,
        client.messages.stream(
            model=MODEL, max_tokens=500, messages=[{"role": "user", "content": LEAD}], tools=TOOLS
        ) as stream,
    ):
        final = await stream.get_final_message()
    return [block.input for block in final.content if block.type == "tool_use"]


def test_the_async_client_streams_tool_calls(sandbox: Sandbox, key: str) -> None:
    calls = asyncio.run(_stream_tools(sandbox.anthropic_url, key))
    assert calls == [{"query": "Acme Tools"}, {"domain": "acme.example"}]


@pytest.mark.parametrize(("words", "written", "read"), [((), True, False), (("cached",), False, True)])
def test_cache_markers_move_tokens_out_of_the_input(
    sandbox: Sandbox, new_key: NewKey, words: tuple[str, ...], written: bool, read: bool
) -> None:
    client = anthropic.Anthropic(
        api_key=new_key("anthropic", *words), base_url=sandbox.anthropic_url, http_client=sandbox.http, max_retries=0
    )
    system: list[Any] = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    answer = client.messages.create(
        model=MODEL, max_tokens=500, system=system, messages=[{"role": "user", "content": LEAD}]
    )
    usage = answer.usage
    assert usage.cache_creation_input_tokens == (tokens(LONG) if written else 0)
    assert usage.cache_read_input_tokens == (tokens(LONG) if read else 0)
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == usage.cache_creation_input_tokens
    assert usage.input_tokens == tokens(LONG, LEAD) - tokens(LONG)
    extracted = extract_usage(
        {"model": answer.model, "usage": usage.to_dict()}, provider_id="anthropic", api_flavor="default"
    )
    assert extracted.usage.input_tokens == tokens(LONG, LEAD)


def test_limits_are_checked_and_obeyed(client: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": LEAD}]
    probe = client.messages.create(model=MODEL, max_tokens=1, messages=messages)
    assert (probe.stop_reason, probe.usage.output_tokens, len(_text(probe))) == ("max_tokens", 1, 4)
    with pytest.raises(anthropic.BadRequestError, match="5000 > 4096"):
        client.messages.create(model="claude-3-haiku-20240307", max_tokens=5000, messages=messages)
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        client.messages.create(model=MODEL, max_tokens=1, messages=[{"role": "user", "content": "x" * 800_001}])
    with pytest.raises(anthropic.NotFoundError, match="model: claude-9"):
        client.messages.create(model="claude-9", max_tokens=1, messages=messages)


def test_max_tokens_is_required(sandbox: Sandbox, key: str) -> None:
    answer = sandbox.http.post(
        f"{sandbox.anthropic_url}/v1/messages",
        headers={"x-api-key": key, "anthropic-version": "2023-06-01"},
        json={"model": MODEL, "messages": [{"role": "user", "content": "x"}]},
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "max_tokens: Field required")


def test_models_are_listed_page_by_page(client: anthropic.Anthropic, sandbox: Sandbox, key: str) -> None:
    listed = [model.id for model in client.models.list(limit=4)]
    assert len(listed) == len(set(listed)) == 9
    assert {MODEL, "claude-sonnet-4-5", "claude-opus-4-1", "claude-3-5-sonnet-20241022"} <= set(listed)
    assert len(sandbox.recorded(key, kind="models")) == 3
    assert client.models.retrieve("claude-3-opus-20240229").max_tokens == 4096
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-9")
