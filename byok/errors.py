"""One family of errors for everything that can go wrong between a tenant and a provider.

Each error knows whether trying again can help, and has a sentence for an organisation's
admin that says what to do next. HTTP status decides before message text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from byok.calls.json_answers import json_object
from byok.calls.reading_errors import is_reading_error
from byok.error_kinds import KINDS
from leadagent.logs import scrub


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

    @classmethod
    def like(cls, error: AIError, *, sentence: str = "") -> Self:
        """The same as `error`, as an exception of this class; told by `sentence` where one is given."""
        return cls(
            error.code,
            provider=error.provider,
            sentence=sentence or error.sentence,
            detail=error.detail,
            retry_after=error.retry_after,
            status=error.status,
            needed=error.needed,
        )

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
    found = (_meaning_of(link, provider) for link in _chain(exc))
    return next((error for error in found if error is not None), None)


# By shape, not by import: the openai and anthropic SDKs and pydantic-ai cost seconds to import, and name these
# the same way.
_NOT_REACHED = frozenset({"APIConnectionError", "ConnectError", "ReadError", "RemoteProtocolError", "ModelAPIError"})
_NOT_UNDERSTOOD = frozenset({"UnexpectedModelBehavior", "ToolRetryError", "IncompleteToolCall"})
_SDK_ERRORS = frozenset({"APIError", "OpenAIError", "AnthropicError"})


def _meaning_of(exc: BaseException, provider: str) -> AIError | None:
    """As `translate`, of one exception without what it was raised from."""
    name = type(exc).__name__
    if isinstance(status := getattr(exc, "status_code", None), int):
        # pydantic-ai's error carries the headers itself.
        headers = getattr(getattr(exc, "response", None), "headers", None) or getattr(exc, "headers", None)
        return error_from_answer(provider, status, getattr(exc, "body", None), headers)
    if _is_timeout(exc):
        return AIError("timeout", provider=provider)
    if name in _NOT_REACHED:
        return _not_reached(exc.__cause__, provider)
    if name == "UsageLimitExceeded":
        return AIError("budget_exhausted", provider=provider, sentence=f"This run was stopped: {exc}")
    if name == "ContentFilterError":
        return AIError("content_refused", provider=provider)
    if name in _NOT_UNDERSTOOD or _is_unreadable(exc):
        return AIError("bad_response", provider=provider, detail=str(exc))
    if name in _SDK_ERRORS:
        # An error event inside a stream: the status line was 200, the body says otherwise.
        body = getattr(exc, "body", None)
        return error_from_answer(provider, _status_in(body), body)
    return None


def _not_reached(cause: BaseException | None, provider: str) -> AIError:
    """SDKs say "no connection" of a timeout, and pydantic-ai of an answer that is no JSON: the cause tells."""
    if cause is not None and _is_timeout(cause):
        return AIError("timeout", provider=provider)
    if _is_unreadable(cause):
        return AIError("bad_response", provider=provider, detail=str(cause))
    return AIError("unreachable", provider=provider)


def _is_timeout(exc: BaseException) -> bool:
    return isinstance(exc, TimeoutError) or "Timeout" in type(exc).__name__


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
        code, own = code.removeprefix(REFUSAL_PREFIX), str(inner.get("message") or "")
        # Budget and rate name their figures; every other refusal says what its code says.
        sentence = scrub(own)[:500] if code in _OWN_FIGURES else ""
        return AIError(
            code,
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
