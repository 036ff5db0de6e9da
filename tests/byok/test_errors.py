"""Every way a call can fail, in one family."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior, UsageLimitExceeded

from byok.error_kinds import KINDS
from byok.errors import REFUSAL_PREFIX, AIError, error_from_answer, error_object, translate, translated
from tests.byok.keys import KEYS

FAMILY = {
    "invalid_key": True,
    "missing_scope": True,
    "no_credit": True,
    "key_limit": True,
    "region_refused": True,
    "model_not_found": True,
    "rate_limited": False,
    "overloaded": False,
    "timeout": False,
    "unreachable": False,
    "bad_response": False,
    "content_refused": True,
    "context_too_long": True,
    "config_missing": True,
    "key_unreadable": True,
    "quota_exhausted": True,
    "budget_exhausted": True,
}


@pytest.mark.parametrize(("code", "permanent"), FAMILY.items())
def test_the_family_knows_what_is_permanent(code: str, permanent: bool) -> None:
    assert KINDS[code].permanent is permanent


@pytest.mark.parametrize("code", KINDS)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "openrouter", "platform_default", ""])
def test_every_error_has_a_sentence_for_an_admin(code: str, provider: str) -> None:
    error = AIError(code, provider=provider)
    assert len(error.sentence) > 20
    assert error.sentence.endswith(".")
    assert "{" not in error.sentence
    assert error.code == code
    assert code in str(error)


def _error(message: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


SCOPES = "You have insufficient permissions for this operation. Missing scopes: model.request."
CLASSIFIED = [
    ("openai", 401, _error("Incorrect API key provided", code="invalid_api_key"), "invalid_key"),
    ("openai", 401, _error(SCOPES), "missing_scope"),
    (
        "openai",
        403,
        _error("Country, region, or territory not supported", code="unsupported_country_region_territory"),
        "region_refused",
    ),
    ("openai", 403, _error("Project is archived", code="project_archived"), "missing_scope"),
    ("openai", 404, _error("The model does not exist", code="model_not_found"), "model_not_found"),
    ("openai", 429, _error("You exceeded your current quota", code="insufficient_quota"), "no_credit"),
    ("openai", 429, _error("You exceeded your current quota", type="insufficient_quota"), "no_credit"),
    ("openai", 429, _error("Rate limit reached", code="rate_limit_exceeded"), "rate_limited"),
    ("openai", 400, _error("maximum context length", code="context_length_exceeded"), "context_too_long"),
    ("openai", 400, _error("rejected", code="content_policy_violation"), "content_refused"),
    ("openai", 400, _error("Unknown parameter"), "bad_request"),
    ("openai", 500, _error("server error"), "overloaded"),
    ("openai", 503, b"<html>busy</html>", "overloaded"),
    ("openai", 504, None, "timeout"),
    ("anthropic", 401, _error("invalid x-api-key", type="authentication_error"), "invalid_key"),
    ("anthropic", 402, _error("billing", type="billing_error"), "no_credit"),
    ("anthropic", 400, _error("Your credit balance is too low to access", type="invalid_request_error"), "no_credit"),
    ("anthropic", 403, _error("not allowed", type="permission_error"), "missing_scope"),
    ("anthropic", 404, _error("model: claude-9", type="not_found_error"), "model_not_found"),
    ("anthropic", 413, _error("too large", type="request_too_large"), "context_too_long"),
    ("anthropic", 400, _error("prompt is too long: 208310 tokens > 200000 maximum"), "context_too_long"),
    (
        "anthropic",
        400,
        _error("input length and `max_tokens` exceed context limit: 190000 + 20000"),
        "context_too_long",
    ),
    ("anthropic", 400, _error("context_management: Extra inputs are not permitted"), "bad_request"),
    ("anthropic", 400, _error("messages: field required", type="invalid_request_error"), "bad_request"),
    ("anthropic", 429, _error("limit", type="rate_limit_error"), "rate_limited"),
    ("anthropic", 500, _error("oops", type="api_error"), "overloaded"),
    ("anthropic", 529, _error("Overloaded", type="overloaded_error"), "overloaded"),
    ("openrouter", 401, _error("No auth credentials found", code=401), "invalid_key"),
    ("openrouter", 402, _error("Insufficient credits", code=402), "no_credit"),
    ("openrouter", 402, _error("Key limit exceeded (monthly limit)", code=402), "key_limit"),
    ("openrouter", 403, _error("Key limit exceeded (total limit)", code=403), "key_limit"),
    ("openrouter", 403, _error("Your input was flagged", code=403), "content_refused"),
    ("openrouter", 403, _error("openai/gpt requires moderation", code=403), "content_refused"),
    ("openrouter", 404, _error("No endpoints found for x/y", code=404), "model_not_found"),
    ("openrouter", 400, _error("x/y is not a valid model ID", code=400), "model_not_found"),
    ("openrouter", 400, _error("This endpoint's maximum context length is 8192", code=400), "context_too_long"),
    ("openrouter", 408, _error("timed out", code=408), "timeout"),
    ("openrouter", 429, _error("Rate limited", code=429), "rate_limited"),
    ("openrouter", 502, _error("Provider returned error", code=502), "overloaded"),
    ("openrouter", 503, _error("No provider available", code=503), "overloaded"),
]


@pytest.mark.parametrize(("provider", "status", "body", "code"), CLASSIFIED)
def test_refusals_are_classified(provider: str, status: int, body: Any, code: str) -> None:
    error = error_from_answer(provider, status, body)
    assert (error.code, error.status, error.provider) == (code, status, provider)


def test_the_providers_words_are_kept_without_the_key() -> None:
    error = error_from_answer("openai", 401, _error(f"Incorrect API key provided: {KEYS['openai']}. " + "x" * 900))
    assert KEYS["openai"] not in error.detail
    assert error.detail.startswith("Incorrect API key provided")
    assert len(error.detail) <= 500
    assert KEYS["openai"] not in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("soon", None), ("-1", None), ("nan", None), ("1e9", None), (None, None)],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert error_from_answer("openai", 429, None, headers).retry_after == seconds


@pytest.mark.parametrize("body", [None, "", "x", b"\xff", [], {"error": "text"}, {"error": None}, 7])
def test_bodies_of_any_shape_are_survived(body: object) -> None:
    assert error_object(body) in ({}, body)
    for provider in KEYS:
        assert error_from_answer(provider, 401, body).code == "invalid_key"


# --- What SDKs and pydantic-ai raise ---


def _raised(provider: str, answer: Any, *, stream: bool = False) -> BaseException:
    """What the SDK raises on this answer."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer("failed", request=request)

    http = httpx2.Client(transport=httpx2.MockTransport(handle))
    messages: Any = [{"role": "user", "content": "x"}]
    try:
        if provider == "anthropic":
            ours = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0, base_url="http://x")
            list(ours.messages.create(model="claude-haiku-4-5", max_tokens=1, messages=messages, stream=stream))
        else:
            theirs = openai.OpenAI(api_key="none", http_client=http, max_retries=0, base_url="http://x")
            list(theirs.chat.completions.create(model="m", messages=messages, stream=stream))
    except Exception as exc:
        return exc
    raise AssertionError("the SDK took it for an answer")


@pytest.mark.parametrize(("provider", "status", "body", "code"), CLASSIFIED)
def test_sdk_errors_say_the_same(provider: str, status: int, body: Any, code: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", "retry-after": "3"}
    error = translate(_raised(provider, httpx2.Response(status, content=content, headers=headers)), provider)
    assert error is not None
    assert (error.code, error.retry_after) == (code, 3.0)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx2.ConnectError, "unreachable"),
        (httpx2.ReadError, "unreachable"),
        (httpx2.RemoteProtocolError, "unreachable"),
        (httpx2.ConnectTimeout, "timeout"),
        (httpx2.ReadTimeout, "timeout"),
        (httpx2.PoolTimeout, "timeout"),
    ],
)
def test_no_answer(provider: str, failure: type[BaseException], code: str) -> None:
    error = translate(_raised(provider, failure), provider)
    assert error is not None
    assert error.code == code
    assert not error.permanent


@pytest.mark.parametrize(
    ("provider", "event", "code"),
    [
        ("openrouter", b'data: {"error": {"code": 402, "message": "Insufficient credits"}}\n\n', "no_credit"),
        ("openrouter", b'data: {"error": {"code": 502, "message": "upstream"}}\n\n', "overloaded"),
        ("openai", b'data: {"error": {"message": "The server had an error"}}\n\n', "overloaded"),
        (
            "anthropic",
            b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n',
            "overloaded",
        ),
    ],
)
def test_errors_inside_a_stream(provider: str, event: bytes, code: str) -> None:
    answer = httpx2.Response(200, content=event, headers={"content-type": "text/event-stream"})
    error = translate(_raised(provider, answer, stream=True), provider)
    assert error is not None
    assert error.code == code


def _timed_out_model() -> ModelAPIError:
    outer = ModelAPIError("gpt", "Request timed out.")
    outer.__cause__ = openai.APITimeoutError(httpx2.Request("POST", "http://x"))
    return outer


def _unreadable_model() -> ModelAPIError:
    outer = ModelAPIError("gpt", "Failed to decode response as JSON")
    outer.__cause__ = json.JSONDecodeError("Expecting value", "<html>", 0)
    return outer


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (ModelHTTPError(429, "gpt", {"code": "insufficient_quota"}), "no_credit"),
        (ModelHTTPError(401, "gpt", {"message": "no"}), "invalid_key"),
        (ModelAPIError("gpt", "Connection error."), "unreachable"),
        (_timed_out_model(), "timeout"),
        (_unreadable_model(), "bad_response"),
        (UnexpectedModelBehavior("Invalid response"), "bad_response"),
        (UsageLimitExceeded("The next request would exceed the request_limit of 20"), "budget_exhausted"),
        (TimeoutError(), "timeout"),
        (json.JSONDecodeError("x", "", 0), "bad_response"),
        (ExceptionGroup("several", [ModelHTTPError(503, "gpt")]), "overloaded"),
    ],
)
def test_pydantic_ai_and_python(exc: BaseException, code: str) -> None:
    error = translate(exc, "openai")
    assert error is not None
    assert error.code == code


def test_what_is_not_about_a_call_is_left_alone() -> None:
    assert translate(ValueError("x"), "openai") is None
    with pytest.raises(ZeroDivisionError), translated("openai"):
        _ = 1 // 0


def test_ours_stays_ours_and_nothing_is_chained() -> None:
    own = AIError("no_credit", provider="openai")
    assert translate(own, "anthropic") is own
    with pytest.raises(AIError) as raised, translated("openai"):
        raise ModelHTTPError(401, "gpt", {"message": "no"})
    assert raised.value.code == "invalid_key"
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("code", ["config_missing", "key_unreadable", "quota_exhausted", "wrong_destination"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_our_own_refusals_come_through_the_sdk(provider: str, code: str) -> None:
    body = {"type": "error", "error": {"type": code, "code": REFUSAL_PREFIX + code, "message": "No."}}
    error = translate(_raised(provider, httpx2.Response(403, json=body)), provider)
    assert error is not None
    assert error.code == code
