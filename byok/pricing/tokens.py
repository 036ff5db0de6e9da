"""Which tokens an answer states, in buckets that do not overlap. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from byok.providers import UsageShape
from byok.providers.base import MOST_TOKENS

if TYPE_CHECKING:
    from genai_prices.types import Provider as GenaiProvider

# What an answer may state beside text tokens. Our prices say nothing of them.
_OTHER_KINDS = ("input_audio_tokens", "output_audio_tokens", "web_searches")


@dataclass(frozen=True, slots=True)
class TokenBuckets:
    """Disjoint counts of tokens: none is in two buckets. `reasoning` is the part of `output` that was thought.

    `cache_write_5m` is the cache that every provider writes by default (five minutes at Anthropic, thirty at OpenAI),
    `cache_write_1h` the longer one that is asked for (one hour, twelve at OpenAI).
    `other`: audio tokens, web searches and the like. They have prices of their own, which are not known here: a
    call with any of them has an unknown cost.
    """

    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    other: int = 0

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    @property
    def can_be(self) -> bool:
        """Whether a call may have used so many: none reads or writes more than `MOST_TOKENS`, or less than nothing."""
        counts: tuple[int, ...] = astuple(self)
        return min(counts) >= 0 and sum(counts) <= MOST_TOKENS

    @property
    def whole_input(self) -> int:
        """The prompt's length, cached or not: what price tiers go by."""
        return self.uncached_input + self.cache_read + self.cache_write


def read_tokens(shape: UsageShape, answer: Mapping[str, Any]) -> tuple[str | None, TokenBuckets] | None:
    """The model and token buckets that an answer states, or None when it states no usage, or more than can be.

    `answer` is the JSON body, or a stream's events folded into the same shape.
    """
    try:
        model, usage = _source(shape.source).extract_usage(answer, api_flavor=shape.flavor)
    except (ValueError, LookupError, TypeError):
        return None

    def count(name: str) -> int:
        return int(usage.reported_value(name))

    cache_read = count("cache_read_tokens")
    long_write = max(count("cache_write_1h_tokens"), _written_for_long(answer))
    write = max(count("cache_write_tokens"), count("cache_write_5m_tokens") + long_write)
    buckets = TokenBuckets(
        uncached_input=max(count("input_tokens") - cache_read - write, 0),
        cache_read=cache_read,
        cache_write_5m=write - long_write,
        cache_write_1h=long_write,
        output=count("output_tokens"),
        reasoning=count("output_reasoning_tokens"),
        other=sum(count(name) for name in _OTHER_KINDS) + _searches(answer),
    )
    return (model, buckets) if buckets.can_be else None


@cache
def _source(name: str) -> GenaiProvider:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().find_provider(None, name, None)


def _written_for_long(answer: Mapping[str, Any]) -> int:
    """OpenAI's twelve-hour writes, which genai-prices does not tell apart.

    https://developers.openai.com/api/docs/guides/prompt-caching
    """
    return max(
        _whole_number(answer, "usage", details, "cache_write_tokens_details", "ttl_12h_tokens")
        for details in ("input_tokens_details", "prompt_tokens_details")
    )


def _searches(answer: Mapping[str, Any]) -> int:
    """The web searches that OpenAI's Responses API made by itself; they stand beside `usage`."""
    return _whole_number(answer, "tool_usage", "web_search", "num_requests")


def _whole_number(answer: Mapping[str, Any], *path: str) -> int:
    value: object = answer
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
