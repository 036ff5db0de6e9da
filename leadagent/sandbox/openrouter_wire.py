"""OpenRouter's API: chat completions, embeddings, public model list, key and generation lookups."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from secrets import token_hex
from typing import Any

from django.http.response import HttpResponseBase

from leadagent.sandbox import record
from leadagent.sandbox.chat_wire import choice_message, created, deltas, finish_reason, read_prompt, sse
from leadagent.sandbox.conversation import Reply
from leadagent.sandbox.embeddings_wire import embeddings_body
from leadagent.sandbox.etags import unless_known
from leadagent.sandbox.gate import Call, Wire, bearer_key, endpoint, event_stream, json_response
from leadagent.sandbox.generation import fails_midway, generate
from leadagent.sandbox.offerings import OPENROUTER, Offering, find
from leadagent.sandbox.openrouter_errors import spell
from leadagent.sandbox.openrouter_listing import listed
from leadagent.sandbox.refusals import Refusal, bad_request, malformed_refused
from leadagent.sandbox.tokens import Usage

WIRE = Wire("openrouter", bearer_key, spell, "x-request-id", "x-generation-id")
_KEY_LIMIT = Decimal(100)
# Always there, and without a value for most providers.
_UNTOLD = {"system_fingerprint": None, "service_tier": None}
_DISCONNECTED = {"code": 502, "message": "Provider disconnected unexpectedly"}


@endpoint(WIRE, "chat", "POST")
def chat_completions(call: Call) -> HttpResponseBase:
    """POST /api/v1/chat/completions."""
    body = call.body()
    offering = _offering(call, body, embeds=False)
    with malformed_refused():
        prompt = read_prompt(body)
    call.stream = bool(body.get("stream"))
    reply = generate(call, prompt, offering)
    head = _head(call, offering)
    if call.stream:
        return event_stream(call, _events(call, head, reply))
    message, reason = choice_message(reply)
    choice: dict[str, Any] = {
        "index": 0,
        "message": {**message, "content": message["content"] or "", "reasoning": None},
        "logprobs": None,
        "finish_reason": reason,
        "native_finish_reason": reason,
    }
    answer = {**head, "object": "chat.completion", **_UNTOLD, "choices": [choice]}
    if fails_midway(call):
        choice |= {"finish_reason": "error", "native_finish_reason": "error", "error": _DISCONNECTED}
        answer["error"] = _DISCONNECTED
    return json_response({**answer, "usage": usage_body(call.usage)})


@endpoint(WIRE, "embeddings", "POST")
def embeddings(call: Call) -> HttpResponseBase:
    """POST /api/v1/embeddings."""
    body = call.body()
    offering = _offering(call, body, embeds=True)
    answer = embeddings_body(call, body, offering)
    usage = call.usage
    counts = {
        "prompt_tokens": usage.input if usage else 0,
        "total_tokens": usage.input if usage else 0,
        "cost": float(usage.cost) if usage and usage.cost is not None else None,
    }
    head = _head(call, offering)
    return json_response({**answer, "id": head["id"], "provider": head["provider"], "usage": counts})


@endpoint(WIRE, "models", "GET", needs_key=False)
def models(call: Call) -> HttpResponseBase:
    """GET /api/v1/models. Public: it answers the same with any key or none."""
    return unless_known(call, json_response({"data": [listed(offering) for offering in OPENROUTER.values()]}))


@endpoint(WIRE, "models", "GET")
def models_of_account(call: Call) -> HttpResponseBase:
    """GET /api/v1/models/user: what the key's account may use, by its preferences and privacy settings."""
    return json_response({"data": [listed(model) for model in OPENROUTER.values() if not model.dimensions]})


@endpoint(WIRE, "models", "GET")
def embedding_models(call: Call) -> HttpResponseBase:
    """GET /api/v1/embeddings/models."""
    embedding = [listed(model) for model in OPENROUTER.values() if model.dimensions]
    return unless_known(call, json_response({"data": embedding}))


@endpoint(WIRE, "key", "GET")
def key(call: Call) -> HttpResponseBase:
    """GET /api/v1/key: limits, and what this key has spent by the sandbox's own record."""
    now = record.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans: dict[str, datetime | None] = {
        "usage": None,
        "usage_daily": midnight,
        "usage_weekly": datetime.fromisocalendar(*now.isocalendar()[:2], 1).replace(tzinfo=now.tzinfo),
        "usage_monthly": midnight.replace(day=1),
    }
    usage = {name: record.spent(call.key_sha256, since=since) for name, since in spans.items()}
    used_up = "nocredit" in call.modes or "keylimit" in call.modes
    left = Decimal(0) if used_up else max(Decimal(0), _KEY_LIMIT - usage["usage"])
    limited = "unlimited" not in call.modes
    data = {
        "label": f"{call.key[:12]}...{call.key[-3:]}",
        "limit": float(_KEY_LIMIT) if limited else None,
        "limit_remaining": float(left) if limited else None,
        "limit_reset": None,
        "include_byok_in_limit": False,
        **{name: float(amount) for name, amount in usage.items()},
        **{f"byok_{name}": 0 for name in usage},
        "is_free_tier": "freetier" in call.modes,
        "is_management_key": "management" in call.modes,
        "is_provisioning_key": "management" in call.modes,
        "expires_at": (now + timedelta(days=2)).isoformat() if "expiring" in call.modes else None,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
    }
    return json_response({"data": data})


@endpoint(WIRE, "generation", "GET")
def generation(call: Call) -> HttpResponseBase:
    """GET /api/v1/generation?id=: what one generation of this key used and cost, cancelled or not."""
    wanted = call.request.GET.get("id", "")
    found = [entry for entry in record.entries(key_sha256=call.key_sha256, wire="openrouter") if entry["id"] == wanted]
    if not wanted or not found or found[0]["usage"] is None:
        raise Refusal("unknown_generation", facts={"id": wanted})
    entry = found[0]
    usage = entry["usage"]
    cost = float(usage["cost"] or 0)
    upstream_cost = float(usage["upstream_cost"] or 0)
    offering = find(OPENROUTER, entry["model"])
    data = {
        "id": wanted,
        "upstream_id": None,
        "total_cost": cost,
        "usage": cost,
        "upstream_inference_cost": upstream_cost,
        "cache_discount": None,
        "cancelled": entry.get("cancelled", False),
        "created_at": entry["time"],
        "model": entry["model"],
        "provider_name": offering.served_by if offering else None,
        "streamed": entry["stream"],
        "is_byok": "ownupstream" in call.modes,
        "finish_reason": None if entry.get("cancelled") else "stop",
        "tokens_prompt": usage["input_tokens"],
        "tokens_completion": usage["output_tokens"],
        "native_tokens_prompt": usage["input_tokens"],
        "native_tokens_completion": usage["output_tokens"],
        "native_tokens_reasoning": usage["reasoning_tokens"],
        "native_tokens_cached": usage["cached_input_tokens"],
        "origin": entry["http_referer"],
    }
    return json_response({"data": data})


@endpoint(WIRE, "other", "*")
def unknown_path(call: Call, rest: str) -> HttpResponseBase:
    """Whatever else OpenRouter offers, this sandbox does not."""
    raise Refusal("unknown_path")


def usage_body(usage: Usage | None) -> dict[str, Any]:
    """`usage` with its cost. `upstream_inference_cost` repeats the cost unless the caller's own upstream key paid."""
    if usage is None or usage.cost is None or usage.upstream_cost is None or usage.prompt_cost is None:
        return {}
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "cost": float(usage.cost),
        "is_byok": usage.own_upstream_key,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": float(usage.upstream_cost),
            "upstream_inference_prompt_cost": float(usage.prompt_cost),
            "upstream_inference_completions_cost": float(usage.upstream_cost - usage.prompt_cost),
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "image_tokens": 0},
    }


def _head(call: Call, offering: Offering) -> dict[str, Any]:
    call.answer_id = f"gen-{int(time.time())}-{token_hex(10)}"
    return {"id": call.answer_id, "provider": offering.served_by, "model": call.model, "created": created()}


def _events(call: Call, head: dict[str, Any], reply: Reply) -> list[bytes]:
    head = {**head, "object": "chat.completion.chunk", "system_fingerprint": None}

    def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "native_finish_reason": reason, "logprobs": None}
        return sse({**head, **more, "choices": [choice]})

    # OpenRouter keeps connections open with comments, which clients must skip.
    events = [b": OPENROUTER PROCESSING\n\n"]
    events += [chunk({"role": "assistant", "content": "", **delta}) for delta in deltas(reply)]
    if fails_midway(call):
        return [*events, chunk({"content": ""}, "error", error=_DISCONNECTED)]
    events.append(chunk({"role": "assistant", "content": ""}, finish_reason(reply)))
    events.append(sse({**head, **_UNTOLD, "choices": [], "usage": usage_body(call.usage)}))
    return [*events, sse("[DONE]")]


def _offering(call: Call, body: dict[str, Any], *, embeds: bool) -> Offering:
    """The model asked for, or the first known one of the fallbacks in `models`."""
    names = [name for name in (body.get("model"), *(body.get("models") or ())) if isinstance(name, str) and name]
    if not names:
        raise bad_request("No models provided")
    for name in names:
        call.model = name
        offering = find(OPENROUTER, name)
        if offering is not None and bool(offering.dimensions) is embeds:
            return offering
    call.model = names[0]
    raise Refusal("model_not_found", facts={"model": names[0]})
