"""What calls cost by the providers' published rules and price pages, worked out apart from the product.

Nothing here is taken from the code under test or from the price list that it uses: prices are typed from the
providers' pages, rules are those that the pages state, and all arithmetic is in fractions of whole numbers.

Prices are US dollars per million tokens, as printed. The pages:

- OpenAI: https://developers.openai.com/api/docs/pricing (Standard and Batch tables; "Short context: up to 272K input
  tokens, long context: more than 272K"), read in October and November 2026; earlier prices from
  https://developers.openai.com/api/docs/changelog and, for the models of 2024 and 2025, from the page of that time.
- Anthropic: https://platform.claude.com/docs/en/about-claude/pricing ("5m cache writes 1.25x, 1h cache writes 2x,
  cache hits 0.1x the base input price", with footnotes for the models that differ; "Batch processing: 50 % discount";
  long context: "all input tokens, cached ones included, count towards the threshold"), read in October 2026.
- OpenRouter: https://openrouter.ai/api/v1/models (dollars per token, as strings), read in November 2026.

Where the packaged list says something else, this was looked up and decided as follows:

- Claude Sonnet 5.5: reading the cache cost $0.20 until Anthropic halved it on 7 October 2026. The list has $0.10 for
  all of its life. The page of the time is right.
- o3: cached input cost $2.50 until 10 June 2025. The list has $0.50 for all of its life. The page of the time is right.
- GPT-5.4 in a batch: half of $0.25 is $0.125, but the Batch table prints $0.13, and so does the list. The printed
  price is what is published, so it stands.
- GPT-4o, GPT-4.1 and o-series in a batch: the Batch table prints no price for cached input. The list falls back to
  the standard price; it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

MILLION = 1_000_000
# When no price here was about to change.
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stated_in_chat(
    *, fresh: int, read: int, short_write: int, long_write: int, output: int, thought: int
) -> dict[str, Any]:
    """As chat completions state usage: cached tokens inside the prompt, thought inside the completion."""
    written = short_write + long_write
    return {
        "prompt_tokens": fresh + read + written,
        "completion_tokens": output,
        "total_tokens": fresh + read + written + output,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
    }


@dataclass(frozen=True)
class OpenAIModel:
    """A row of OpenAI's tables. Empty: the page prints a dash."""

    name: str
    input: str
    cached: str
    output: str
    write: str = ""
    at: datetime = NOW
    # More input than this, and input of every kind costs twice, output one and a half times.
    long_above: int = 0
    in_batch: bool = True
    # Where the Batch table prints something else than half.
    batch_cached: str | None = None

    provider = "openai"
    flavor = "chat"

    def usage(self, **split: int) -> dict[str, Any]:
        return stated_in_chat(**split)

    def cost(self, usage: Mapping[str, Any], *, batch: bool) -> Fraction | None:
        details = usage["prompt_tokens_details"]
        cached, written = details["cached_tokens"], details["cache_write_tokens"]
        fresh = usage["prompt_tokens"] - cached - written
        half = Fraction(1, 2) if batch else Fraction(1)
        if batch and not self.in_batch:
            return None
        read_price: Fraction | None = Fraction(self.cached) * half if self.cached else None
        if batch and self.batch_cached is not None:
            read_price = Fraction(self.batch_cached) if self.batch_cached else None
        # Caching has no charge of its own on the models that print no price for writing.
        write_price = Fraction(self.write or self.input) * half
        if (cached and read_price is None) or (usage["completion_tokens"] and not self.output):
            return None
        if written and not self.write and read_price is None:
            return None
        is_long = self.long_above and usage["prompt_tokens"] > self.long_above
        in_times, out_times = (2, Fraction(3, 2)) if is_long else (1, Fraction(1))
        if is_long and batch and self.batch_cached:
            # Printed as half of the long price.
            read_price = Fraction(self.cached) * half
        total: Fraction = fresh * Fraction(self.input) * half * in_times
        total += cached * (read_price or 0) * in_times
        total += written * write_price * in_times
        total += usage["completion_tokens"] * Fraction(self.output or 0) * half * out_times
        return total / MILLION


@dataclass(frozen=True)
class AnthropicModel:
    """A row of Anthropic's model pricing: base input and output, everything else by multiple."""

    name: str
    input: str
    output: str
    # Cache hits, as a part of the base input price.
    hit: Fraction = Fraction(1, 10)
    at: datetime = NOW
    # More input than this, and these are the base prices.
    long_above: int = 0
    long_input: str = ""
    long_output: str = ""
    in_batch: bool = True

    provider = "anthropic"
    flavor = "default"

    def usage(
        self, *, fresh: int, read: int, short_write: int, long_write: int, output: int, thought: int
    ) -> dict[str, Any]:
        """As messages state it: the input leaves out what the cache had a part in."""
        return {
            "input_tokens": fresh,
            "cache_creation_input_tokens": short_write + long_write,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": short_write, "ephemeral_1h_input_tokens": long_write},
            "output_tokens": output,
            "output_tokens_details": {"thinking_tokens": thought},
            "service_tier": "standard",
        }

    def cost(self, usage: Mapping[str, Any], *, batch: bool) -> Fraction | None:
        if batch and not self.in_batch:
            return None
        whole = usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"]
        is_long = self.long_above and whole > self.long_above
        base = Fraction(self.long_input if is_long else self.input)
        output = Fraction(self.long_output if is_long else self.output)
        written = usage["cache_creation"]
        total: Fraction = usage["input_tokens"] * base
        total += usage["cache_read_input_tokens"] * base * self.hit
        total += written["ephemeral_5m_input_tokens"] * base * Fraction(5, 4)
        total += written["ephemeral_1h_input_tokens"] * base * 2
        total += usage["output_tokens"] * output
        return total / MILLION / (2 if batch else 1)


@dataclass(frozen=True)
class OpenRouterModel:
    """An entry of OpenRouter's `/models`: dollars per token. Nothing is sold in batches."""

    name: str
    prompt: str
    completion: str
    input_cache_read: str = ""
    input_cache_write: str = ""
    at: datetime = NOW
    # More input than this, and prompt prices are doubled, completions cost one and a half times.
    long_above: int = 0

    provider = "openrouter"
    flavor = "chat"
    in_batch = False

    def usage(self, **split: int) -> dict[str, Any]:
        return stated_in_chat(**split)

    def cost(self, usage: Mapping[str, Any], *, batch: bool) -> Fraction | None:
        if batch:
            return None
        details = usage["prompt_tokens_details"]
        cached, written = details["cached_tokens"], details["cache_write_tokens"]
        if cached and not self.input_cache_read:
            return None
        if written and not self.input_cache_write and not self.input_cache_read:
            return None
        is_long = self.long_above and usage["prompt_tokens"] > self.long_above
        in_times, out_times = (2, Fraction(3, 2)) if is_long else (1, Fraction(1))
        total: Fraction = (usage["prompt_tokens"] - cached - written) * Fraction(self.prompt) * in_times
        total += cached * Fraction(self.input_cache_read or 0) * in_times
        total += written * Fraction(self.input_cache_write or self.prompt) * in_times
        total += usage["completion_tokens"] * Fraction(self.completion) * out_times
        return total


Model = OpenAIModel | AnthropicModel | OpenRouterModel

_272K = 272_000
_TWENTIETH, _FORTIETH = Fraction(1, 20), Fraction(1, 40)

MODELS: tuple[Model, ...] = (
    # The Batch table prints no price for cached input of these.
    OpenAIModel("gpt-4o", "2.50", "1.25", "10.00", batch_cached=""),
    OpenAIModel("gpt-4o-mini", "0.15", "0.075", "0.60", batch_cached=""),
    OpenAIModel("gpt-4.1", "2.00", "0.50", "8.00", batch_cached=""),
    OpenAIModel("gpt-4.1-mini", "0.40", "0.10", "1.60", batch_cached=""),
    OpenAIModel("gpt-4.1-nano", "0.10", "0.025", "0.40", batch_cached=""),
    OpenAIModel("o4-mini", "1.10", "0.275", "4.40", batch_cached=""),
    OpenAIModel("o3", "2.00", "0.50", "8.00", batch_cached=""),
    OpenAIModel("o3", "10.00", "2.50", "40.00", at=day("2025-06-09"), in_batch=False),
    OpenAIModel("gpt-5", "1.25", "0.125", "10.00"),
    OpenAIModel("gpt-5-mini", "0.25", "0.025", "2.00"),
    OpenAIModel("gpt-5-nano", "0.05", "0.005", "0.40"),
    OpenAIModel("gpt-5.4", "2.50", "0.25", "15.00", long_above=_272K, batch_cached="0.13"),
    OpenAIModel("gpt-5.4-mini", "0.75", "0.075", "4.50"),
    OpenAIModel("gpt-5.5", "5.00", "0.50", "30.00", long_above=_272K),
    # The cuts of 30 July 2026.
    OpenAIModel("gpt-5.6-luna", "1.00", "0.10", "6.00", "1.25", day("2026-07-29"), _272K, in_batch=False),
    OpenAIModel("gpt-5.6-luna", "0.20", "0.02", "1.20", "0.25", long_above=_272K),
    OpenAIModel("gpt-5.6-terra", "2.50", "0.25", "15.00", "3.125", day("2026-07-29"), _272K, in_batch=False),
    OpenAIModel("gpt-5.6-terra", "2.00", "0.20", "12.00", "2.50", long_above=_272K),
    OpenAIModel("gpt-6-astra", "10.00", "1.00", "50.00", "12.50", long_above=_272K),
    OpenAIModel("gpt-6-sol", "2.00", "0.20", "10.00", "2.50", long_above=_272K),
    OpenAIModel("gpt-6-luna", "0.10", "0.01", "0.50", "0.125", long_above=_272K),
    OpenAIModel("gpt-6.1-sol", "2.00", "0.10", "10.00", "2.50", long_above=_272K),
    OpenAIModel("text-embedding-3-small", "0.02", "", "", in_batch=False),
    OpenAIModel("text-embedding-3-large", "0.13", "", "", in_batch=False),
    AnthropicModel("claude-haiku-4-5", "1", "5"),
    AnthropicModel("claude-sonnet-4-0", "3", "15", in_batch=False),
    # The surcharge for more than 200K tokens, while longer prompts were in beta (until 30 April 2026).
    AnthropicModel("claude-sonnet-4-5", "3", "15", Fraction(1, 10), day("2026-03-01"), 200_000, "6", "22.5", False),
    AnthropicModel("claude-opus-4-6", "5", "25", Fraction(1, 10), day("2026-03-12"), 200_000, "10", "37.5", False),
    AnthropicModel("claude-opus-4-6", "5", "25"),
    AnthropicModel("claude-opus-4-1", "15", "75", at=day("2026-03-01"), in_batch=False),
    AnthropicModel("claude-opus-5", "5", "25"),
    AnthropicModel("claude-opus-5-5", "4", "20", _TWENTIETH),
    AnthropicModel("claude-sonnet-5", "2", "10"),
    AnthropicModel("claude-sonnet-5-5", "2", "10", at=day("2026-10-06"), in_batch=False),
    AnthropicModel("claude-sonnet-5-5", "2", "10", _TWENTIETH),
    AnthropicModel("claude-fable-5-1", "10", "50", _FORTIETH),
    AnthropicModel("claude-haiku-5-5", "0.10", "0.50", Fraction(1, 10), NOW, 100_000, "0.50", "2.50"),
    OpenRouterModel("openai/gpt-4o-mini", "0.00000015", "0.0000006", "0.000000075"),
    OpenRouterModel("openai/gpt-5", "0.00000125", "0.00001", "0.000000125"),
    OpenRouterModel("openai/gpt-5-mini", "0.00000025", "0.000002", "0.000000025"),
    OpenRouterModel("anthropic/claude-haiku-4.5", "0.000001", "0.000005", "0.0000001", "0.00000125"),
    OpenRouterModel(
        "anthropic/claude-sonnet-4.5", "0.000003", "0.000015", "0.0000003", "0.00000375", long_above=200_000
    ),
    OpenRouterModel("anthropic/claude-sonnet-5.5", "0.000002", "0.00001", "0.0000001", "0.0000025"),
)


def reported_by_openrouter(usage: Mapping[str, Any]) -> Fraction:
    """`cost` is what OpenRouter takes; with one's own upstream key the vendor bills its share beside it."""
    charged = Fraction(str(usage["cost"]))
    if usage.get("is_byok"):
        charged += Fraction(str(usage["cost_details"]["upstream_inference_cost"]))
    return charged


@dataclass
class Case:
    """One call: which model, what it used, and whether in a batch."""

    model: Model
    batch: bool
    usage: dict[str, Any] = field(repr=True)
