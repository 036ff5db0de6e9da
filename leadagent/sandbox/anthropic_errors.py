"""Refusals in Anthropic's shape: https://docs.anthropic.com/en/api/errors."""

from typing import Any

from leadagent.sandbox.refusals import Refusal


def spell(refusal: Refusal, request_id: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of a refusal in Anthropic's words."""
    facts = refusal.facts
    no_credit = (
        400,
        "invalid_request_error",
        (
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
            "purchase credits."
        ),
    )
    known: dict[str, tuple[int, str, str]] = {
        "missing_key": (401, "authentication_error", "x-api-key header is required"),
        "invalid_key": (401, "authentication_error", "invalid x-api-key"),
        "forbidden": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
        "no_credit": no_credit,
        "key_limit": no_credit,
        "management_key": no_credit,
        "rate_limited": (
            429,
            "rate_limit_error",
            (
                "This request would exceed your organization's rate limit of 50 requests per minute. For details, "
                "refer to: https://docs.anthropic.com/en/api/rate-limits."
            ),
        ),
        "overloaded": (529, "overloaded_error", "Overloaded"),
        "server_error": (500, "api_error", "Internal server error"),
        "missing_version": (400, "invalid_request_error", "anthropic-version: header is required"),
        "model_not_found": (404, "not_found_error", f"model: {facts.get('model')}"),
        "context_too_long": (
            400,
            "invalid_request_error",
            f"prompt is too long: {facts.get('requested')} tokens > {facts.get('maximum')} maximum",
        ),
        "too_large": (413, "request_too_large", "Request exceeds the maximum size"),
        "unknown_path": (404, "not_found_error", "Not found"),
        "wrong_method": (405, "invalid_request_error", "Method Not Allowed"),
    }
    status, kind, message = known.get(refusal.kind, (400, "invalid_request_error", refusal.message))
    return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
