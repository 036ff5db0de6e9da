"""Refusals in OpenAI's shape: https://platform.openai.com/docs/guides/error-codes."""

from typing import Any

from leadagent.sandbox.refusals import Refusal

SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"


def spell(refusal: Refusal, request_id: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of a refusal in OpenAI's words."""
    facts = refusal.facts
    shown = _masked(facts.get("key", ""))
    known: dict[str, tuple[int, str, str, str | None]] = {
        "missing_key": (
            401,
            (
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            ),
            "invalid_request_error",
            None,
        ),
        "invalid_key": (
            401,
            (
                f"Incorrect API key provided: {shown}. You can find your API key at "
                "https://platform.openai.com/account/api-keys."
            ),
            "invalid_request_error",
            "invalid_api_key",
        ),
        "missing_scope": (
            401,
            (
                "You have insufficient permissions for this operation. Missing scopes: api.model.read. Check that you "
                "have the correct role in your organization and project, and if you're using a restricted API key, "
                "that it has the necessary scopes."
            ),
            "invalid_request_error",
            None,
        ),
        "forbidden": (
            403,
            "Country, region, or territory not supported",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        "no_credit": (
            429,
            (
                "You exceeded your current quota, please check your plan and billing details. For more information on "
                "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
            ),
            "insufficient_quota",
            "insufficient_quota",
        ),
        "rate_limited": (
            429,
            (
                "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in "
                f"{facts.get('retry_after')}s."
            ),
            "requests",
            "rate_limit_exceeded",
        ),
        "overloaded": (
            503,
            "The engine is currently overloaded, please try again later.",
            "server_error",
            "server_overloaded",
        ),
        "server_error": (500, SERVER_ERROR, "server_error", None),
        "model_not_found": (
            404,
            f"The model `{facts.get('model')}` does not exist or you do not have access to it.",
            "invalid_request_error",
            "model_not_found",
        ),
        "context_too_long": (
            400,
            (
                f"This model's maximum context length is {facts.get('maximum')} tokens. However, your messages "
                f"resulted in {facts.get('requested')} tokens. Please reduce the length of the messages."
            ),
            "invalid_request_error",
            "context_length_exceeded",
        ),
        "too_large": (413, "Maximum content size limit exceeded.", "invalid_request_error", None),
        "unknown_path": (
            404,
            f"Invalid URL ({facts.get('method')} {facts.get('path')})",
            "invalid_request_error",
            None,
        ),
        "wrong_method": (
            405,
            f"Not allowed to use this method; only {facts.get('method')} requests are accepted.",
            "invalid_request_error",
            "method_not_supported",
        ),
    }
    known["key_limit"] = known["management_key"] = known["no_credit"]
    status, message, kind, code = known.get(
        refusal.kind, (400, refusal.message, "invalid_request_error", facts.get("code"))
    )
    param = {"context_too_long": "messages"}.get(refusal.kind, facts.get("param"))
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _masked(key: str) -> str:
    return f"{key[:3]}{'*' * max(0, len(key) - 7)}{key[-4:]}" if len(key) > 8 else "***"
