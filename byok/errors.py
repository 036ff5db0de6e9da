"""One family of errors for everything that can go wrong between a tenant and a provider.

Each error knows whether trying again can help, and has a sentence for an organisation's
admin that says what to do next. HTTP status decides before message text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from byok.calls.json_answers import json_object
from byok.calls.reading_errors import is_reading_error
from leadagent.logs import scrub


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """What a code means. `sentence` may name `{provider}` and `{key_page}`."""

    code: str
    permanent: bool
    needs_admin: bool
    sentence: str


def _kinds(*kinds: ErrorKind) -> dict[str, ErrorKind]:
    return {kind.code: kind for kind in kinds}


# Sentences follow the customer's troubleshooting section and the providers' own help pages.
KINDS = _kinds(
    ErrorKind(
        "invalid_key",
        True,
        True,
        "{provider} refused the key. It may be mistyped, expired or revoked: "
        "make a new one at {key_page} and save it in the AI settings.",
    ),
    ErrorKind(
        "missing_scope",
        True,
        True,
        "{provider} knows the key, but the key may not do this. Give it the missing permission at {key_page}.",
    ),
    ErrorKind(
        "no_credit",
        True,
        True,
        "The account at {provider} has no credit left. Add credit there, then run this again.",
    ),
    ErrorKind(
        "key_limit",
        True,
        True,
        "The key has reached the spending limit that was set for it at {provider}. Raise the limit at {key_page}.",
    ),
    ErrorKind(
        # Nothing about the key: no fallback either, where the platform asks the same provider.
        "region_refused",
        True,
        True,
        "{provider} does not serve the country or region that the request came from. Choose another provider in the "
        "AI settings, or ask whoever runs Lead Agent where it sends its requests from.",
    ),
    ErrorKind(
        "model_not_found",
        True,
        True,
        "{provider} does not offer the chosen model to this key. Check its name (at OpenRouter it is "
        "vendor/model) or choose another model in the AI settings.",
    ),
    ErrorKind(
        "rate_limited",
        False,
        False,
        "{provider} limits how many requests this account may make, and the limit is reached. That usually "
        "passes within minutes; a higher limit comes with a higher tier at {provider}.",
    ),
    ErrorKind(
        "overloaded",
        False,
        False,
        "{provider} is overloaded at the moment. That usually passes within minutes.",
    ),
    ErrorKind(
        "timeout",
        False,
        False,
        "{provider} did not answer in time. That usually passes within minutes.",
    ),
    ErrorKind(
        "unreachable",
        False,
        False,
        "{provider} could not be reached. That usually passes within minutes.",
    ),
    ErrorKind(
        "bad_response",
        False,
        False,
        "{provider} sent an answer that could not be read. Trying once more often helps.",
    ),
    ErrorKind(
        "content_refused",
        True,
        False,
        "{provider} refused the content of this request. Change the text, or choose another model.",
    ),
    ErrorKind(
        "context_too_long",
        True,
        False,
        "The text is longer than the chosen model can read. Shorten it, or choose a model with a larger context.",
    ),
    ErrorKind(
        "bad_request",
        True,
        False,
        "{provider} did not accept the request for this model. Choose another model.",
    ),
    ErrorKind(
        "config_missing",
        True,
        True,
        "No usable key is saved for {provider}. Add one in the AI settings to go on.",
    ),
    ErrorKind(
        "key_unreadable",
        True,
        True,
        "The saved key for {provider} can no longer be opened. Enter it again in the AI settings.",
    ),
    ErrorKind(
        "quota_exhausted",
        True,
        True,
        "This month's free AI requests are used up. Add your own key in the AI settings to go on without a limit.",
    ),
    ErrorKind(
        "quota_unavailable",
        False,
        False,
        "The free tier could not be counted just now, so the request was not sent. That usually passes within minutes.",
    ),
    ErrorKind(
        "budget_exhausted",
        True,
        True,
        "The organisation's AI budget for this month is spent. Raise it under Settings, Alerts and budgets, to go on.",
    ),
    ErrorKind(
        "step_cap",
        True,
        False,
        "The research used up the steps that one run may take. Run it again, or choose another model for research.",
    ),
    ErrorKind(
        "token_cap",
        True,
        False,
        "The research used up the tokens that one run may use. Run it again, or choose another model for research.",
    ),
    ErrorKind(
        "cost_cap",
        True,
        False,
        "The research used up the money that one run may cost. Run it again, or choose another model for research.",
    ),
    ErrorKind(
        "wrong_destination",
        True,
        True,
        "The request was not for {provider}'s own address, so the key was not sent. Check the provider addresses.",
    ),
)


class AIError(Exception):
    """A call that did not give an answer, told in our words.

    `detail` is the provider's own text after scrubbing (may be empty). `retry_after`
    is in seconds, from the provider's header, or None. `needed` is what a call that did not
    fit into a budget may cost, in US dollars, or None.
    """

    def __init__(
        self,
        code: str,
        *,
        provider: str = "",
        sentence: str = "",
        detail: str = "",
        retry_after: float | None = None,
        status: int | None = None,
        needed: Decimal | None = None,
    ) -> None:
        self.kind = KINDS[code]
        self.provider = provider
        self.detail = scrub(detail)[:500]
        self.retry_after = retry_after
        self.status = status
        self.needed = needed
        self.sentence = sentence or self.kind.sentence.format(**_names(provider))
        super().__init__(f"{code}: {self.sentence}")

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def permanent(self) -> bool:
        return self.kind.permanent

    @property
    def needs_admin(self) -> bool:
        return self.kind.needs_admin


def _names(provider: str) -> dict[str, str]:
    from byok.providers import REGISTRY

    if provider in REGISTRY:
        entry = REGISTRY[provider]
        return {"provider": entry.label, "key_page": entry.key_page}
    return {"provider": "The AI provider", "key_page": "the provider's site"}


# The synthetic answers of our own transport carry their code under this prefix.
REFUSAL_PREFIX = "leadagent."
_OWN_FIGURES = frozenset({"budget_exhausted", "rate_limited"})


@contextmanager
def translated(provider: str) -> Iterator[None]:
    """Turn whatever an SDK or pydantic-ai raises inside the block into an `AIError`.

    The original is not chained: exceptions of SDKs carry requests and bodies along.
    """
    error: AIError | None = None
    try:
        yield
    except Exception as exc:
        error = translate(exc, provider)
        if error is None:
            raise
    if error is not None:
        try:
            raise error
        finally:
            # Python sets it, because a block's exit runs while the original is being handled.
            error.__context__ = None


def translate(exc: BaseException, provider: str) -> AIError | None:
    """The `AIError` that says the same as `exc`, or None where `exc` is not about a call to a provider."""
    if isinstance(exc, AIError):
        return exc
    # By shape, not by import: the openai and anthropic SDKs and pydantic-ai cost seconds to
    # import, and name these the same way.
    for link in _chain(exc):
        name = type(link).__name__
        status = getattr(link, "status_code", None)
        if isinstance(status, int):
            response = getattr(link, "response", None)
            # pydantic-ai's error carries the headers itself.
            headers = getattr(response, "headers", None) or getattr(link, "headers", None) or {}
            return error_from_answer(provider, status, getattr(link, "body", None), headers)
        if isinstance(link, TimeoutError | asyncio.TimeoutError) or "Timeout" in name:
            return AIError("timeout", provider=provider)
        if name in {
            "APIConnectionError",
            "ConnectError",
            "ReadError",
            "RemoteProtocolError",
            "ModelAPIError",
        }:
            cause = link.__cause__
            if cause is not None and "Timeout" in type(cause).__name__:
                return AIError("timeout", provider=provider)
            if _is_unreadable(cause):
                # pydantic-ai says of an answer that is no JSON what it says of none.
                return AIError("bad_response", provider=provider, detail=str(cause))
            return AIError("unreachable", provider=provider)
        if name == "UsageLimitExceeded":
            return AIError(
                "budget_exhausted",
                provider=provider,
                sentence=f"This run was stopped: {link}",
            )
        if name == "ContentFilterError":
            return AIError("content_refused", provider=provider)
        if _is_unreadable(link) or name in {
            "UnexpectedModelBehavior",
            "ToolRetryError",
            "IncompleteToolCall",
        }:
            return AIError("bad_response", provider=provider, detail=str(link))
        if name in {"APIError", "OpenAIError", "AnthropicError"}:
            # An error event inside a stream: the status line was 200, the body says otherwise.
            return error_from_answer(
                provider,
                _status_in(getattr(link, "body", None)),
                getattr(link, "body", None),
                {},
            )
    return None


def _is_unreadable(exc: BaseException | None) -> bool:
    return type(exc).__name__ in {"JSONDecodeError", "APIResponseValidationError"} or is_reading_error(exc)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """`exc` and what it was raised from, outermost first, exception groups unpacked."""
    seen: set[int] = set()
    queue: list[BaseException] = [exc]
    while queue:
        link = queue.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            queue.extend(link.exceptions)
        if link.__cause__ is not None:
            queue.append(link.__cause__)


def _status_in(body: object) -> int:
    inner = error_object(body)
    code = inner.get("code")
    return code if isinstance(code, int) and 400 <= code <= 599 else 502


def error_object(body: object) -> Mapping[str, Any]:
    """The provider's error object, whichever way the SDK hands the body over. Empty when there is none."""
    if isinstance(body, str | bytes):
        body = json_object(body)
    if isinstance(body, Mapping):
        inner = body.get("error")
        return inner if isinstance(inner, Mapping) else body
    return {}


def error_from_answer(provider: str, status: int, body: object, headers: Mapping[str, str] | None = None) -> AIError:
    """Classify a refusal by status first, then by the provider's own code or words."""
    from byok.providers import REGISTRY

    inner = error_object(body)
    code = inner.get("code")
    if isinstance(code, str) and code.startswith(REFUSAL_PREFIX):
        own = str(inner.get("message") or "")
        # Budget and rate name their figures; every other refusal says what its code says.
        sentence = scrub(own)[:500] if code.removeprefix(REFUSAL_PREFIX) in _OWN_FIGURES else ""
        return AIError(
            code.removeprefix(REFUSAL_PREFIX),
            provider=provider,
            sentence=sentence,
            detail=own,
            retry_after=_retry_after(headers),
            needed=_dollars(inner.get("needed")),
        )
    text = str(inner.get("message") or "")
    kind = REGISTRY[provider].classify(status, inner) if provider in REGISTRY else classify_status(status)
    return AIError(
        kind,
        provider=provider,
        detail=text,
        retry_after=_retry_after(headers),
        status=status,
    )


def classify_status(status: int) -> str:
    """What a status means where the provider's page says nothing more precise."""
    match status:
        case 401:
            return "invalid_key"
        case 402:
            return "no_credit"
        case 403:
            return "missing_scope"
        case 404:
            return "model_not_found"
        case 408 | 504:
            return "timeout"
        case 413:
            return "context_too_long"
        case 429:
            return "rate_limited"
        case 502 | 503 | 529:
            return "overloaded"
        case _ if status >= 500:
            return "overloaded"
        case _ if status >= 400:
            return "bad_request"
        case _:
            return "bad_response"


def _dollars(text: object) -> Decimal | None:
    try:
        return Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    try:
        seconds = float((headers or {}).get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 86_400 else None
