"""Token counts and prices: plain arithmetic that a test can redo by hand."""

from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil
from typing import Any

from leadagent.sandbox.conversation import Prompt, Reply

CHARACTERS_PER_TOKEN = 4
# What a reasoning model thinks before each answer, billed as output.
REASONING_TOKENS = 64
# Shorter prefixes are not cached, marker or not: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
SMALLEST_CACHED_PREFIX = 1024
# OpenRouter's fee on calls made with the caller's own upstream key.
BYOK_FEE = Decimal("0.05")


def count_tokens(characters: int) -> int:
    """Tokens of a text of so many characters: a quarter, rounded up."""
    return ceil(characters / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token."""

    prompt: Decimal
    completion: Decimal = Decimal(0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One request's tokens. `input` includes what was read from or written to the cache, `output` the reasoning.

    `cost` and `upstream_cost` are US dollars, None where the provider reports none.
    """

    input: int
    output: int = 0
    cached: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: Decimal | None = None
    upstream_cost: Decimal | None = None
    prompt_cost: Decimal | None = None
    own_upstream_key: bool = False

    @property
    def cache_write(self) -> int:
        """Tokens written to the cache, whatever their lifetime."""
        return self.cache_write_5m + self.cache_write_1h

    def priced(self, price: Price, *, own_upstream_key: bool = False) -> "Usage":
        """The same with exact costs. With the caller's own upstream key only OpenRouter's fee is `cost`."""
        uncached = self.input - self.cached - self.cache_write
        prompt_cost = (
            uncached * price.prompt
            + self.cached * (price.cache_read if price.cache_read is not None else price.prompt)
            + self.cache_write * (price.cache_write if price.cache_write is not None else price.prompt)
        )
        upstream = prompt_cost + self.output * price.completion
        return replace(
            self,
            cost=upstream * BYOK_FEE if own_upstream_key else upstream,
            upstream_cost=upstream,
            prompt_cost=prompt_cost,
            own_upstream_key=own_upstream_key,
        )

    def cut_to(self, share: float, price: Price | None) -> "Usage":
        """What is billed when the caller hung up after that share of the answer."""
        cut = replace(self, output=ceil(self.output * share), reasoning=min(self.reasoning, ceil(self.output * share)))
        return cut.priced(price, own_upstream_key=self.own_upstream_key) if price is not None else cut

    def as_record(self) -> dict[str, Any]:
        """For the record file: every provider in the same words, cost as a decimal string or null."""
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "total_tokens": self.input + self.output,
            "cached_input_tokens": self.cached,
            "cache_write_tokens": self.cache_write,
            "reasoning_tokens": self.reasoning,
            "cost": _plain(self.cost),
            "upstream_cost": _plain(self.upstream_cost),
        }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def limit_reply(reply: Reply, limit: int | None, *, reasoning: bool) -> Reply:
    """Cut the text where the caller's token limit ends it. Tool calls are never cut."""
    if limit is None:
        return reply
    room = max(0, limit - (REASONING_TOKENS if reasoning else 0))
    if reply.tool_calls or count_tokens(reply.characters) <= room:
        return reply
    return Reply(text=reply.text[: room * CHARACTERS_PER_TOKEN], cut=True)


def measure(prompt: Prompt, reply: Reply, *, reasoning: bool, cached: bool) -> Usage:
    """Count one exchange.

    Cache markers in the prompt write their prefix to the cache, or with `cached` read it;
    without markers `cached` reads half of the prompt.
    """
    spoken = count_tokens(reply.characters)
    thought = REASONING_TOKENS if reasoning else 0
    if reply.cut and prompt.max_output_tokens is not None:
        thought = min(thought, prompt.max_output_tokens)
    usage = Usage(input=count_tokens(prompt.characters), output=max(1, spoken + thought), reasoning=thought)
    marked = {
        lifetime: count_tokens(characters)
        for lifetime, characters in prompt.marked_characters.items()
        if count_tokens(characters) >= SMALLEST_CACHED_PREFIX
    }
    if marked and not cached:
        return replace(usage, cache_write_5m=marked.get("5m", 0), cache_write_1h=marked.get("1h", 0))
    if cached:
        return replace(usage, cached=sum(marked.values()) or usage.input // 2)
    return usage
