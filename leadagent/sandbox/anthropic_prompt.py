"""Read the body of a messages request: https://docs.anthropic.com/en/api/messages."""

from collections.abc import Iterator
from typing import Any, Literal

from leadagent.sandbox.conversation import Prompt, Tool, ToolCall, Turn
from leadagent.sandbox.offerings import Offering
from leadagent.sandbox.refusals import Refusal, bad_request

_CHOICES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "tool": "required",
}


def read_prompt(body: dict[str, Any], offering: Offering) -> Prompt:
    """Turn a request body into a Prompt. Raises Refusal where Anthropic answers 400."""
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise bad_request("max_tokens: Field required")
    if limit > offering.max_output:
        raise bad_request(
            f"max_tokens: {limit} > {offering.max_output}, which is the maximum allowed number of output tokens for "
            f"{offering.answer_name}"
        )
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages: at least one message is required")
    choice = body.get("tool_choice") or {}
    tools = tuple(_read_tool(tool) for tool in body.get("tools") or ())
    if choice.get("type") in ("any", "tool") and not tools:
        raise bad_request("tool_choice may only be specified while providing tools.")
    return Prompt(
        turns=(*_system_turns(body.get("system")), *_read_messages(messages), *_trailing_mark(body)),
        tools=tools,
        tool_choice=_CHOICES.get(choice.get("type", "auto"), "auto"),
        forced_tool=choice.get("name", "") if choice.get("type") == "tool" else "",
        one_call_only=bool(choice.get("disable_parallel_tool_use")),
        output_schema=_output_schema(body, offering),
        max_output_tokens=limit,
    )


def _output_schema(body: dict[str, Any], offering: Offering) -> dict[str, Any] | None:
    """The schema of structured output: `output_config.format`, in older calls `output_format`."""
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if not wanted:
        return None
    if not offering.typed_output:
        raise bad_request(f"output_config.format: structured outputs are not supported by {offering.answer_name}")
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        raise bad_request("output_config.format.schema: Field required")
    schema: dict[str, Any] = wanted["schema"]
    return schema


def _system_turns(system: Any) -> Iterator[Turn]:
    if isinstance(system, str):
        yield Turn("system", system)
    else:
        for block in system or ():
            yield Turn("system", block.get("text", ""), cache=_mark(block))


def _trailing_mark(body: dict[str, Any]) -> Iterator[Turn]:
    """A cache marker on the request itself stands for one on its last block."""
    if body.get("cache_control"):
        yield Turn("user", "", cache=_mark(body))


def _read_messages(messages: list[Any]) -> Iterator[Turn]:
    open_calls: dict[str, str] = {}
    for position, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system"):
            raise bad_request(f"messages.{position}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        answered = {block.get("tool_use_id", "") for block in blocks if block.get("type") == "tool_result"}
        if answered - open_calls.keys():
            raise _unpaired(position, "unexpected `tool_use_id` found in `tool_result` blocks", answered)
        if open_calls.keys() - answered:
            raise _unpaired(
                position, "`tool_use` ids were found without `tool_result` blocks immediately after", set(open_calls)
            )
        for block in blocks:
            yield _read_block(role, block, open_calls)
        open_calls = {block["id"]: block["name"] for block in blocks if block.get("type") == "tool_use"}
    if open_calls:
        raise _unpaired(
            len(messages) - 1,
            "`tool_use` ids were found without `tool_result` blocks immediately after",
            set(open_calls),
        )


def _unpaired(position: int, what: str, ids: set[str]) -> Refusal:
    return bad_request(f"messages.{position}: {what}: {', '.join(sorted(ids))}")


def _read_block(role: Literal["user", "assistant", "system"], block: dict[str, Any], calls: dict[str, str]) -> Turn:
    kind = block.get("type")
    if kind == "tool_result":
        content = block.get("content")
        text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content or ())
        return Turn("tool", text, tool_name=calls[block["tool_use_id"]], cache=_mark(block))
    if kind == "tool_use":
        call = ToolCall(block["name"], block.get("input") or {})
        return Turn(role, tool_calls=(call,), cache=_mark(block))
    return Turn(role, block.get("text", ""), cache=_mark(block))


def _read_tool(tool: Any) -> Tool:
    if not isinstance(tool, dict) or not tool.get("name"):
        raise bad_request("tools.0.custom.name: Field required")
    return Tool(tool["name"], tool.get("description") or "", tool.get("input_schema") or {}, cache=_mark(tool))


def _mark(block: dict[str, Any]) -> str:
    return (block.get("cache_control") or {}).get("ttl") or "5m" if block.get("cache_control") else ""
