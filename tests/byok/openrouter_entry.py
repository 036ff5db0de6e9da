"""One model as OpenRouter lists it."""

from typing import Any

# Shaped as documented: https://openrouter.ai/docs/api-reference/list-available-models
ENTRY: dict[str, Any] = {
    "id": "acme/flagship",
    "canonical_slug": "acme/flagship-20260101",
    "name": "Acme: Flagship",
    "created": 1767225600,
    "description": "Reads\nand\twrites.",
    "context_length": 200000,
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "Other"},
    "pricing": {
        "prompt": "0.0000025",
        "completion": "0.000015",
        "request": "0",
        "image": "0.0048",
        "input_cache_read": "0.00000025",
        "input_cache_write": "0.000003125",
    },
    "top_provider": {"context_length": 200000, "max_completion_tokens": 64000, "is_moderated": False},
    "supported_parameters": ["max_tokens", "tools", "structured_outputs", "reasoning"],
}
