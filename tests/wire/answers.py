"""What aimock is told to answer, in its own words (its documents call these fixtures)."""

from collections.abc import Mapping, Sequence
from typing import Any

Fixture = dict[str, Any]


def usage(input_tokens: int, output_tokens: int, *, cost: float | None = None) -> dict[str, Any]:
    """Figures that an answer tells. Only OpenRouter's answers tell a cost."""
    counted = {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }
    return counted if cost is None else counted | {"cost": cost}


def says(text: str, *, name: str, told: Mapping[str, Any], when: Mapping[str, Any] | None = None) -> Fixture:
    """A plain answer with the id `name`. `when`: which requests it is for; all of them if empty."""
    return {"match": dict(when or {}), "response": {"content": text, "id": name, "usage": dict(told)}}


def calls(
    tools: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    name: str,
    told: Mapping[str, Any],
    when: Mapping[str, Any] | None = None,
) -> Fixture:
    """An answer that wants tools called: (tool, arguments) each."""
    wanted = [{"name": tool, "arguments": dict(arguments)} for tool, arguments in tools]
    return {"match": dict(when or {}), "response": {"toolCalls": wanted, "id": name, "usage": dict(told)}}


def refuses(
    status: int,
    message: str,
    *,
    kind: str = "",
    code: str = "",
    retry_after: int | None = None,
    when: Mapping[str, Any] | None = None,
) -> Fixture:
    """A refusal, which aimock puts into each provider's own shape."""
    error = {"message": message, **({"type": kind} if kind else {}), **({"code": code} if code else {})}
    later = {} if retry_after is None else {"retryAfter": retry_after}
    return {"match": dict(when or {}), "response": {"error": error, "status": status, **later}}
