"""Refusals in OpenRouter's shape: https://openrouter.ai/docs/api-reference/errors."""

from typing import Any

from leadagent.sandbox.refusals import Refusal


def spell(refusal: Refusal, request_id: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of a refusal in OpenRouter's words."""
    facts = refusal.facts
    known: dict[str, tuple[int, str]] = {
        "missing_key": (401, "No auth credentials found"),
        "invalid_key": (401, "User not found."),
        "management_key": (403, "Management keys cannot be used for inference."),
        "forbidden": (403, "Your input was flagged by the moderation of the provider."),
        "no_credit": (402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
        "key_limit": (403, "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"),
        "rate_limited": (429, "Rate limit exceeded: requests per minute."),
        "overloaded": (503, "No instances available"),
        "server_error": (500, "Internal Server Error"),
        "model_not_found": (
            (404, f"No endpoints found for {facts.get('model')}.")
            if "/" in str(facts.get("model"))
            else (400, f"{facts.get('model')} is not a valid model ID")
        ),
        "context_too_long": (
            400,
            (
                f"This endpoint's maximum context length is {facts.get('maximum')} tokens. However, you requested "
                f"about {facts.get('requested')} tokens. Please reduce the length of either one, or use the "
                '"middle-out" transform to compress your prompt automatically.'
            ),
        ),
        "too_large": (413, "Request entity too large"),
        "unknown_path": (404, "Not Found"),
        "unknown_generation": (404, f"Generation {facts.get('id')} not found"),
        "wrong_method": (405, "Method Not Allowed"),
        "wrong_code": (403, "Invalid code or code_verifier"),
    }
    status, message = known.get(refusal.kind, (400, refusal.message))
    error: dict[str, Any] = {"message": message, "code": status}
    if refusal.kind == "forbidden":
        error["metadata"] = {"reasons": ["sandbox"], "flagged_input": "", "provider_name": "OpenAI"}
    return status, {"error": error}
