"""Anthropic's API: messages and model list."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from secrets import token_hex
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from leadagent.sandbox.anthropic_errors import spell
from leadagent.sandbox.anthropic_prompt import read_prompt
from leadagent.sandbox.chat_wire import pieces
from leadagent.sandbox.conversation import Reply, compact_json
from leadagent.sandbox.gate import Call, Wire, bearer_key, endpoint, event_stream, json_response
from leadagent.sandbox.generation import fails_midway, generate
from leadagent.sandbox.offerings import ANTHROPIC, Offering, find
from leadagent.sandbox.refusals import Refusal, bad_request, malformed_refused
from leadagent.sandbox.tokens import Usage

P = ParamSpec("P")
_LARGEST_PAGE = 1000


def _key(request: HttpRequest) -> str:
    # Curl examples send x-api-key; the SDK from version 2 sends the same key as a bearer token.
    return request.headers.get("x-api-key", "").strip() or bearer_key(request)


WIRE = Wire("anthropic", _key, spell, "request-id")


def _versioned(answer: Callable[Concatenate[Call, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(answer)
    def check_first(call: Call, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not call.request.headers.get("anthropic-version"):
            raise Refusal("missing_version")
        return answer(call, *args, **kwargs)

    return check_first


@endpoint(WIRE, "chat", "POST")
@_versioned
def messages(call: Call) -> HttpResponseBase:
    """POST /v1/messages."""
    body = call.body()
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise bad_request("model: Field required")
    call.model = name
    offering = find(ANTHROPIC, name)
    if offering is None:
        raise Refusal("model_not_found", facts={"model": name})
    with malformed_refused():
        prompt = read_prompt(body, offering)
    call.stream = bool(body.get("stream"))
    if fails_midway(call) and not call.stream:
        raise Refusal("overloaded")
    reply = generate(call, prompt, offering)
    call.answer_id = f"msg_{token_hex(12)}"
    message = {
        "id": call.answer_id,
        "type": "message",
        "role": "assistant",
        "model": offering.answer_name,
        "content": _content(reply),
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": _usage(call.usage),
    }
    if call.stream:
        return event_stream(call, _events(call, message))
    return json_response(message)


@endpoint(WIRE, "models", "GET")
@_versioned
def models(call: Call) -> HttpResponseBase:
    """GET /v1/models, paged by `limit` and `after_id`."""
    offerings = list(ANTHROPIC.values())
    after = call.request.GET.get("after_id", "")
    ids = [offering.id for offering in offerings]
    start = ids.index(after) + 1 if after in ids else 0
    given = call.request.GET.get("limit", "20")
    if not given.isdecimal() or not 1 <= int(given) <= _LARGEST_PAGE:
        raise bad_request(f"limit: Input should be between 1 and {_LARGEST_PAGE}")
    page = offerings[start : start + int(given)]
    return json_response(
        {
            "data": [_listed(offering) for offering in page],
            "has_more": start + len(page) < len(offerings),
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


@endpoint(WIRE, "models", "GET")
@_versioned
def model(call: Call, name: str) -> HttpResponseBase:
    """GET /v1/models/<name>."""
    call.model = name
    offering = find(ANTHROPIC, name)
    if offering is None:
        raise Refusal("model_not_found", facts={"model": name})
    return json_response(_listed(offering))


@endpoint(WIRE, "other", "*")
def unknown_path(call: Call, rest: str) -> HttpResponseBase:
    """Whatever else Anthropic offers, this sandbox does not."""
    raise Refusal("unknown_path")


def _content(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    return blocks + [
        {"type": "tool_use", "id": f"toolu_{token_hex(12)}", "name": call.name, "input": call.arguments}
        for call in reply.tool_calls
    ]


def _stop_reason(reply: Reply) -> str:
    if reply.refused:
        return "refusal"
    if reply.tool_calls:
        return "tool_use"
    return "max_tokens" if reply.cut else "end_turn"


def _usage(usage: Usage | None) -> dict[str, Any]:
    """`usage`: unlike OpenAI's, `input_tokens` leaves out what was read from or written to the cache."""
    if usage is None:
        return {}
    return {
        "input_tokens": usage.input - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def _events(call: Call, message: dict[str, Any]) -> list[bytes]:
    begun = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    events = [_sse("message_start", message=begun), _sse("ping")]
    for index, block in enumerate(message["content"]):
        is_text = block["type"] == "text"
        empty = {**block, "text": ""} if is_text else {**block, "input": {}}
        events.append(_sse("content_block_start", index=index, content_block=empty))
        for piece in pieces(block["text"] if is_text else compact_json(block["input"])):
            delta = (
                {"type": "text_delta", "text": piece}
                if is_text
                else {"type": "input_json_delta", "partial_json": piece}
            )
            events.append(_sse("content_block_delta", index=index, delta=delta))
        events.append(_sse("content_block_stop", index=index))
    if fails_midway(call):
        return [*events[:-1], _sse("error", error={"type": "overloaded_error", "message": "Overloaded"})]
    counts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append(_sse("message_delta", delta=ended, usage={name: message["usage"][name] for name in counts}))
    return [*events, _sse("message_stop")]


def _sse(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {compact_json({'type': kind, **fields})}\n\n".encode()


def _listed(offering: Offering) -> dict[str, Any]:
    return {
        "type": "model",
        "id": offering.id,
        "display_name": offering.name,
        "created_at": datetime.fromtimestamp(offering.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "deprecated" if offering.deprecated else "active",
        "max_input_tokens": offering.context,
        "max_tokens": offering.max_output,
    }
