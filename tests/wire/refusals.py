"""What the providers refuse with, in their own words, and what that is to us.

OpenAI: https://platform.openai.com/docs/guides/error-codes. Anthropic: https://docs.anthropic.com/en/api/errors.
OpenRouter: https://openrouter.ai/docs/api-reference/errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.wire.answers import Fixture, refuses


@dataclass(frozen=True)
class Refusal:
    """One refusal of one provider, and the code of ours that it becomes."""

    status: int
    message: str
    code: str
    kind: str = ""
    their_code: str = ""
    retry_after: int | None = None

    def fixture(self, when: Mapping[str, Any] | None = None) -> Fixture:
        return refuses(
            self.status,
            self.message,
            kind=self.kind,
            code=self.their_code,
            retry_after=self.retry_after,
            when=when,
        )


_WRONG_MODEL = "The model does not exist or you do not have access to it."
REFUSALS: dict[str, dict[str, Refusal]] = {
    "openai": {
        "bad request": Refusal(400, "Invalid value: 'wizard'.", "bad_request", "invalid_request_error"),
        "too long": Refusal(
            400,
            "This model's maximum context length is 128000 tokens.",
            "context_too_long",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        "wrong key": Refusal(
            401, "Incorrect API key provided.", "invalid_key", "invalid_request_error", "invalid_api_key"
        ),
        "no credit": Refusal(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "no_credit",
            "insufficient_quota",
            "insufficient_quota",
        ),
        "forbidden": Refusal(
            403,
            "Country, region, or territory not supported",
            "region_refused",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        "no model": Refusal(404, _WRONG_MODEL, "model_not_found", "invalid_request_error", "model_not_found"),
        "too many": Refusal(
            429, "Rate limit reached for requests", "rate_limited", "requests", "rate_limit_exceeded", retry_after=7
        ),
        "broken": Refusal(500, "The server had an error while processing your request.", "overloaded", "server_error"),
        "overloaded": Refusal(503, "That model is currently overloaded.", "overloaded", "server_error"),
    },
    "anthropic": {
        "bad request": Refusal(400, "messages: roles must alternate", "bad_request", "invalid_request_error"),
        "too long": Refusal(
            400, "prompt is too long: 208310 tokens > 200000 maximum", "context_too_long", "invalid_request_error"
        ),
        "wrong key": Refusal(401, "invalid x-api-key", "invalid_key", "authentication_error"),
        "no credit": Refusal(
            400,
            "Your credit balance is too low to access the Anthropic API.",
            "no_credit",
            "invalid_request_error",
        ),
        "not paid": Refusal(402, "There is a problem with your billing.", "no_credit", "billing_error"),
        "forbidden": Refusal(
            403, "Your API key does not have permission to use the resource.", "missing_scope", "permission_error"
        ),
        "no model": Refusal(404, "model: claude-none", "model_not_found", "not_found_error"),
        "too large": Refusal(
            413, "Request exceeds the maximum allowed number of bytes.", "context_too_long", "request_too_large"
        ),
        "too many": Refusal(
            429, "Number of requests has exceeded your rate limit", "rate_limited", "rate_limit_error", retry_after=7
        ),
        "broken": Refusal(500, "Internal server error", "overloaded", "api_error"),
        "overloaded": Refusal(529, "Overloaded", "overloaded", "overloaded_error"),
    },
    "openrouter": {
        "bad request": Refusal(400, 'Input required: specify "prompt" or "messages"', "bad_request"),
        "too long": Refusal(400, "This endpoint's maximum context length is 200000 tokens.", "context_too_long"),
        "wrong key": Refusal(401, "User not found.", "invalid_key"),
        "no credit": Refusal(402, "Insufficient credits. Add more credits to your account.", "no_credit"),
        "key limit": Refusal(403, "Key limit exceeded (monthly limit).", "key_limit"),
        "forbidden": Refusal(403, "Your input was flagged by the moderation of the provider.", "content_refused"),
        "no model": Refusal(400, "anthropic/claude-none is not a valid model ID", "model_not_found"),
        "too many": Refusal(429, "Rate limit exceeded: requests per minute.", "rate_limited", retry_after=7),
        "broken": Refusal(500, "Internal Server Error", "overloaded"),
        "overloaded": Refusal(503, "No instances available", "overloaded"),
    },
}
CASES = [(provider, name) for provider, refusals in REFUSALS.items() for name in refusals]
