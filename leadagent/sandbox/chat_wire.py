"""Chat completions as OpenAI defines them, which OpenRouter speaks too: reading requests, building answers."""

import json
import time
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

from leadagent.sandbox.conversation import Prompt, Reply, Tool, ToolCall, Turn, compact_json
from leadagent.sandbox.refusals import bad_request

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
# Roughly what one streamed piece of text holds.
_PIECE = 24


def read_prompt(body: dict[str, Any]) -> Prompt:
    """Turn a request body into a Prompt. Raises Refusal where OpenAI answers 400."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request(
            "Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter"
        )
    if body.get("n") not in (None, 1):
        raise bad_request("The sandbox gives one choice per request.", param="n", code="unsupported_value")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise bad_request("Invalid value for 'max_tokens'.", param="max_tokens", code="invalid_value")
    tools = tuple(_read_tool(tool) for tool in body.get("tools") or ())
    choice, forced, allowed = _read_tool_choice(body.get("tool_choice"))
    if choice == "required" and not tools:
        raise bad_request("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    schema, json_mode = _read_response_format(body.get("response_format"))
    return Prompt(
        turns=tuple(_read_messages(messages)),
        tools=tuple(tool for tool in tools if allowed is None or tool.name in allowed),
        tool_choice=choice,
        forced_tool=forced,
        one_call_only=body.get("parallel_tool_calls") is False,
        output_schema=schema,
        json_mode=json_mode,
        max_output_tokens=limit,
    )


def choice_message(reply: Reply) -> tuple[dict[str, Any], str]:
    """(message, finish_reason) of a whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    elif message["content"] is None:
        message["content"] = ""
    return message, finish_reason(reply)


def finish_reason(reply: Reply) -> str:
    """Why the answer ended, in OpenAI's words."""
    if reply.refused:
        return "content_filter"
    if reply.tool_calls:
        return "tool_calls"
    return "length" if reply.cut else "stop"


def deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    """The `delta` objects of a streamed answer, first the role, then text, then tool calls piece by piece."""
    yield {"role": "assistant", "content": None if reply.tool_calls and not reply.text else "", "refusal": None}
    for piece in pieces(reply.text):
        yield {"content": piece}
    for index, call in enumerate(reply.tool_calls):
        whole = _tool_call(call)
        arguments = whole["function"]["arguments"]
        yield {"tool_calls": [{"index": index, **whole, "function": {"name": call.name, "arguments": ""}}]}
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def pieces(text: str) -> Iterator[str]:
    """Cut a text into the pieces in which it is streamed."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def sse(value: dict[str, Any] | str) -> bytes:
    """One server-sent event without a name."""
    return f"data: {value if isinstance(value, str) else compact_json(value)}\n\n".encode()


def created() -> int:
    """The `created` of an answer made now."""
    return int(time.time())


def _tool_call(call: ToolCall) -> dict[str, Any]:
    arguments = compact_json(call.arguments)
    return {"id": f"call_{token_hex(12)}", "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _read_messages(messages: list[Any]) -> Iterator[Turn]:
    open_calls: dict[str, str] = {}
    for position, message in enumerate(messages):
        where = f"messages.[{position}]"
        role = _ROLES.get(message.get("role", "")) if isinstance(message, dict) else None
        if role is None:
            raise bad_request(f"Invalid value in '{where}.role'.", param=f"{where}.role", code="invalid_value")
        if open_calls and role != "tool":
            raise bad_request(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}",
                param=where,
            )
        text, cache = _read_content(message.get("content"))
        if role == "tool":
            name = open_calls.pop(message.get("tool_call_id", ""), None)
            if name is None:
                raise bad_request(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"{where}.role",
                )
            yield Turn("tool", text, tool_name=name, cache=cache)
        elif role == "assistant":
            calls = message.get("tool_calls") or []
            open_calls = {call["id"]: call["function"]["name"] for call in calls}
            yield Turn("assistant", text, tuple(_read_call(call) for call in calls), cache=cache)
        else:
            yield Turn("system" if role == "system" else "user", text, cache=cache)
    if open_calls:
        raise bad_request(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}",
            param="messages",
        )


def _read_call(call: dict[str, Any]) -> ToolCall:
    try:
        arguments = json.loads(call["function"]["arguments"] or "{}")
    except ValueError:
        arguments = {}
    return ToolCall(call["function"]["name"], arguments)


def _read_content(content: Any) -> tuple[str, str]:
    """(text, cache marker) of a message's content: a string or a list of parts, of which only text is read."""
    if isinstance(content, str):
        return content, ""
    parts = [part for part in content or () if isinstance(part, dict)]
    marked = [part["cache_control"].get("ttl") or "5m" for part in parts if part.get("cache_control")]
    return "\n".join(part.get("text", "") for part in parts), marked[-1] if marked else ""


def _read_tool(tool: Any) -> Tool:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not function.get("name"):
        raise bad_request("Missing required parameter: 'tools[0].function.name'.", param="tools[0].function.name")
    return Tool(function["name"], function.get("description") or "", function.get("parameters") or {})


def _read_tool_choice(choice: Any) -> tuple[Any, str, set[str] | None]:
    """(auto|none|required, name of a forced tool, names of the allowed tools or None for all)."""
    if choice in (None, "auto", "none", "required"):
        return choice or "auto", "", None
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice["allowed_tools"]
        return allowed.get("mode", "auto"), "", {tool["function"]["name"] for tool in allowed["tools"]}
    if isinstance(choice, dict) and choice.get("type") == "function":
        return "required", choice["function"]["name"], None
    raise bad_request("Invalid value for 'tool_choice'.", param="tool_choice", code="invalid_value")


def _read_response_format(wanted: Any) -> tuple[dict[str, Any] | None, bool]:
    """(JSON schema of the answer or None, whether any JSON object is asked for)."""
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        if not isinstance(schema, dict):
            raise bad_request(
                "Missing required parameter: 'response_format.json_schema.schema'.",
                param="response_format.json_schema.schema",
            )
        return schema, False
    return None, kind == "json_object"
