"""Why a request is refused, in no provider's words: each wire spells these in its own shape."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "missing_key",
    "invalid_key",
    "missing_scope",
    "management_key",
    "forbidden",
    "no_credit",
    "key_limit",
    "rate_limited",
    "overloaded",
    "server_error",
    "bad_request",
    "missing_version",
    "model_not_found",
    "context_too_long",
    "too_large",
    "unknown_path",
    "unknown_generation",
    "wrong_method",
    "wrong_code",
]


@dataclass
class Refusal(Exception):
    """Raised anywhere while a request is served. `facts` holds what the wire's message mentions."""

    kind: Kind
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> Refusal:
    """A 400 about the request's content; `param` and `code` appear in OpenAI's shape."""
    return Refusal("bad_request", message, {"param": param, "code": code})


@contextmanager
def malformed_refused() -> Iterator[None]:
    """Answer 400 when a request's JSON is not built as the wire demands: a missing name, text for an object."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise bad_request(f"Your request is malformed ({type(error).__name__}: {error}).") from None
