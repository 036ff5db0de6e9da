"""OpenAI's API: chat completions, embeddings, model list."""

from secrets import token_hex
from typing import Any

from django.http.response import HttpResponseBase

from leadagent.sandbox.chat_wire import choice_message, created, deltas, finish_reason, read_prompt, sse
from leadagent.sandbox.conversation import Reply
from leadagent.sandbox.embeddings_wire import embeddings_body
from leadagent.sandbox.gate import Call, Wire, bearer_key, endpoint, event_stream, json_response
from leadagent.sandbox.generation import fails_midway, generate
from leadagent.sandbox.offerings import Offering
from leadagent.sandbox.openai_errors import SERVER_ERROR, spell
from leadagent.sandbox.refusals import Refusal, bad_request, malformed_refused
from leadagent.sandbox.tokens import Usage
from leadagent.sandbox.tuned import find_offered, offered

WIRE = Wire("openai", bearer_key, spell, "x-request-id")


@endpoint(WIRE, "chat", "POST")
def chat_completions(call: Call) -> HttpResponseBase:
    """POST /v1/chat/completions."""
    body = call.body()
    offering = _offering(call, body, embeds=False)
    with malformed_refused():
        _check_parameters(body, offering)
        prompt = read_prompt(body)
    call.stream = bool(body.get("stream"))
    if fails_midway(call) and not call.stream:
        raise Refusal("server_error")
    reply = generate(call, prompt, offering)
    call.answer_id = f"chatcmpl-{token_hex(14)}"
    head = {
        "id": call.answer_id,
        "created": created(),
        "model": offering.answer_name,
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }
    if call.stream:
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return event_stream(call, _events(call, head, reply, with_usage=with_usage))
    message, reason = choice_message(reply)
    choice = {"index": 0, "message": {**message, "annotations": []}, "logprobs": None, "finish_reason": reason}
    return json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage_body(call.usage)})


@endpoint(WIRE, "embeddings", "POST")
def embeddings(call: Call) -> HttpResponseBase:
    """POST /v1/embeddings."""
    body = call.body()
    answer = embeddings_body(call, body, _offering(call, body, embeds=True))
    tokens = call.usage.input if call.usage else 0
    return json_response({**answer, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


@endpoint(WIRE, "models", "GET")
def models(call: Call) -> HttpResponseBase:
    """GET /v1/models."""
    if "noscope" in call.modes:
        raise Refusal("missing_scope")
    return json_response({"object": "list", "data": [_listed(offering) for offering in offered(call.modes)]})


@endpoint(WIRE, "models", "GET")
def model(call: Call, name: str) -> HttpResponseBase:
    """GET /v1/models/<name>."""
    call.model = name
    if "noscope" in call.modes:
        raise Refusal("missing_scope")
    offering = find_offered(call.modes, name)
    if offering is None:
        raise Refusal("model_not_found", facts={"model": name})
    return json_response(_listed(offering))


@endpoint(WIRE, "other", "*")
def unknown_path(call: Call, rest: str) -> HttpResponseBase:
    """Whatever else OpenAI offers, this sandbox does not."""
    raise Refusal("unknown_path", facts={"method": call.request.method, "path": f"/{rest}"})


def usage_body(usage: Usage | None) -> dict[str, Any]:
    """`usage` of a chat completion: cached tokens lie inside the prompt's, reasoning inside the completion's."""
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _events(call: Call, head: dict[str, Any], reply: Reply, *, with_usage: bool) -> list[bytes]:
    head = {**head, "object": "chat.completion.chunk"}
    unused = {"usage": None} if with_usage else {}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse({**head, "choices": [choice], **unused})

    events = [chunk(delta) for delta in deltas(reply)]
    if fails_midway(call):
        error = {"message": SERVER_ERROR, "type": "server_error", "param": None, "code": None}
        return [*events, sse({"error": error})]
    events.append(chunk({}, finish_reason(reply)))
    if with_usage:
        events.append(sse({**head, "choices": [], "usage": usage_body(call.usage)}))
    return [*events, sse("[DONE]")]


def _offering(call: Call, body: dict[str, Any], *, embeds: bool) -> Offering:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise bad_request("you must provide a model parameter", param="model")
    call.model = name
    offering = find_offered(call.modes, name)
    if offering is None:
        raise Refusal("model_not_found", facts={"model": name})
    if bool(offering.dimensions) is not embeds:
        wrong = (
            "You are not allowed to generate embeddings from this model"
            if embeds
            else ("This is not a chat model and thus not supported in the v1/chat/completions endpoint.")
        )
        raise bad_request(wrong, param="model")
    return offering


def _check_parameters(body: dict[str, Any], offering: Offering) -> None:
    """What the real service refuses for a model, so that a caller learns it here."""
    if offering.reasoning and body.get("max_tokens") is not None:
        raise bad_request(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if offering.reasoning and body.get("temperature") not in (None, 1):
        raise bad_request(
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. Only the "
            "default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        )
    wanted = (body.get("response_format") or {}).get("type")
    if wanted == "json_schema" and not offering.typed_output:
        raise bad_request(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            param="response_format",
        )
    if wanted == "json_object" and "json" not in str(body.get("messages")).lower():
        raise bad_request(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )


def _listed(offering: Offering) -> dict[str, Any]:
    return {"id": offering.id, "object": "model", "created": offering.created, "owned_by": "system"}
