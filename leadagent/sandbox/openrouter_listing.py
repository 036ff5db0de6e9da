"""A model as OpenRouter lists it: https://openrouter.ai/docs/api-reference/list-available-models."""

from decimal import Decimal
from typing import Any

from leadagent.sandbox.offerings import Offering

_CHAT_PARAMETERS = ("max_tokens", "temperature", "top_p", "stop", "tools", "tool_choice", "response_format")
_TOKENIZERS = {
    "openai": "GPT",
    "anthropic": "Claude",
    "google": "Gemini",
    "meta-llama": "Llama3",
    "mistralai": "Mistral",
}


def listed(offering: Offering) -> dict[str, Any]:
    """One entry of `/models`; prices are strings, US dollars per token."""
    vendor, _, _ = offering.id.partition("/")
    output = "embeddings" if offering.dimensions else "text"
    return {
        "id": offering.id,
        "canonical_slug": offering.id,
        "hugging_face_id": None,
        "name": offering.name,
        "created": offering.created,
        "description": f"{offering.name.partition(': ')[2]}, as the sandbox imitates it.",
        "context_length": offering.context,
        "architecture": {
            "modality": f"{'+'.join(offering.inputs)}->{output}",
            "input_modalities": list(offering.inputs),
            "output_modalities": [output],
            "tokenizer": _TOKENIZERS.get(vendor, "Other"),
            "instruct_type": None,
        },
        "pricing": _pricing(offering),
        "top_provider": {
            "context_length": offering.context,
            "max_completion_tokens": offering.max_output or None,
            "is_moderated": vendor in ("openai", "anthropic"),
        },
        "per_request_limits": None,
        "supported_parameters": _parameters(offering),
        "default_parameters": {},
    }


def _pricing(offering: Offering) -> dict[str, str]:
    price = offering.price
    if price is None:
        return {}
    pricing = {"prompt": _plain(price.prompt), "completion": _plain(price.completion)}
    pricing |= dict.fromkeys(("request", "image", "web_search", "internal_reasoning"), "0")
    if price.cache_read is not None:
        pricing["input_cache_read"] = _plain(price.cache_read)
    if price.cache_write is not None:
        pricing["input_cache_write"] = _plain(price.cache_write)
    return pricing


def _parameters(offering: Offering) -> list[str]:
    if offering.dimensions:
        return []
    extra = ["structured_outputs"] if offering.typed_output else []
    return sorted([*_CHAT_PARAMETERS, *extra, *(["reasoning", "include_reasoning"] if offering.reasoning else [])])


def _plain(price: Decimal) -> str:
    return f"{price.normalize():f}"
