"""The models on offer, each as its own provider lists it.

OpenRouter's prices follow genai-prices 0.2.3, in US dollars per token, and need not be
today's. The direct
providers report no cost, so they need no prices here.
"""

from dataclasses import dataclass
from decimal import Decimal

from leadagent.sandbox.tokens import Price

TEXT = ("text",)
TEXT_AND_IMAGE = ("text", "image")


@dataclass(frozen=True, slots=True)
class Offering:
    """One model. `context` and `max_output` in tokens, `created` in epoch seconds.

    `answers_as` is the dated name that answers carry; `typed_output` says whether it
    takes a JSON schema; `dimensions` is the length of an embedding model's vectors, 0
    for chat models. `served_by` and `price` are OpenRouter's.
    """

    id: str
    name: str
    created: int
    context: int
    max_output: int = 4096
    answers_as: str = ""
    reasoning: bool = False
    typed_output: bool = True
    dimensions: int = 0
    inputs: tuple[str, ...] = TEXT
    served_by: str = ""
    price: Price | None = None
    deprecated: bool = False

    @property
    def answer_name(self) -> str:
        """The model name that an answer carries."""
        return self.answers_as or self.id


def _price(prompt: str, completion: str = "0", *, read: str = "", write: str = "") -> Price:
    """Prices given per million tokens, as pages show them."""
    million = Decimal(1_000_000)
    return Price(
        Decimal(prompt) / million,
        Decimal(completion) / million,
        Decimal(read) / million if read else None,
        Decimal(write) / million if write else None,
    )


def _table(*offerings: Offering) -> dict[str, Offering]:
    return {offering.id: offering for offering in offerings}


OPENAI = _table(
    *(
        Offering(model, name, created, context, 128_000, reasoning=True, inputs=TEXT_AND_IMAGE)
        for model, name, created, context in (
            ("gpt-5.5", "GPT-5.5", 1776902400, 1_050_000),
            ("gpt-5.4", "GPT-5.4", 1772668800, 1_050_000),
            ("gpt-5.4-mini", "GPT-5.4 mini", 1773705600, 400_000),
        )
    ),
    Offering("gpt-5", "GPT-5", 1754425777, 400_000, 128_000, "gpt-5-2025-08-07", reasoning=True, inputs=TEXT_AND_IMAGE),
    Offering(
        "gpt-5-mini",
        "GPT-5 mini",
        1754425928,
        400_000,
        128_000,
        "gpt-5-mini-2025-08-07",
        reasoning=True,
        inputs=TEXT_AND_IMAGE,
    ),
    Offering("gpt-4o", "GPT-4o", 1715367049, 128_000, 16_384, "gpt-4o-2024-08-06", inputs=TEXT_AND_IMAGE),
    Offering("gpt-4o-mini", "GPT-4o mini", 1721172741, 128_000, 16_384, "gpt-4o-mini-2024-07-18"),
    Offering("gpt-4-turbo", "GPT-4 Turbo", 1712361441, 128_000, 4096, "gpt-4-turbo-2024-04-09", typed_output=False),
    Offering("gpt-4", "GPT-4", 1687882411, 8_192, 8_192, "gpt-4-0613", typed_output=False),
    Offering("gpt-3.5-turbo", "GPT-3.5 Turbo", 1677610602, 16_385, 4096, "gpt-3.5-turbo-0125", typed_output=False),
    Offering("text-embedding-3-small", "Embedding 3 small", 1705948997, 8_192, 0, dimensions=1536),
    Offering("text-embedding-3-large", "Embedding 3 large", 1705953180, 8_192, 0, dimensions=3072),
)

# Release dates of the newest ones are not known here: the epoch stands for that, as in the real list.
ANTHROPIC = _table(
    Offering("claude-sonnet-5-5", "Claude Sonnet 5.5", 0, 1_000_000, 128_000, inputs=TEXT_AND_IMAGE),
    Offering("claude-haiku-5-5", "Claude Haiku 5.5", 0, 1_000_000, 128_000, inputs=TEXT_AND_IMAGE),
    Offering("claude-opus-5-5", "Claude Opus 5.5", 0, 1_000_000, 128_000, inputs=TEXT_AND_IMAGE),
    Offering("claude-haiku-4-5", "Claude Haiku 4.5", 1760486400, 200_000, 64_000, "claude-haiku-4-5-20251001"),
    Offering(
        "claude-sonnet-4-5",
        "Claude Sonnet 4.5",
        1759104000,
        200_000,
        64_000,
        "claude-sonnet-4-5-20250929",
        deprecated=True,
    ),
    Offering("claude-opus-4-1", "Claude Opus 4.1", 1754352000, 200_000, 32_000, "claude-opus-4-1-20250805"),
    *(
        Offering(model, name, created, 200_000, output, typed_output=False, deprecated=True)
        for model, name, created, output in (
            ("claude-3-5-sonnet-20241022", "Claude Sonnet 3.5 (New)", 1729555200, 8_192),
            ("claude-3-haiku-20240307", "Claude Haiku 3", 1709769600, 4096),
            ("claude-3-opus-20240229", "Claude Opus 3", 1709164800, 4096),
        )
    ),
)

# id | name | created | context | max output | inputs | served by | price | typed output | reasoning
_ROUTED: tuple[tuple[str, str, int, int, int, tuple[str, ...], str, Price, bool, bool], ...] = (
    ("openai/gpt-5.4", "OpenAI: GPT-5.4", 1772668800, 1_050_000, 128_000, TEXT_AND_IMAGE, "OpenAI",
     _price("2.5", "15", read="0.25"), True, True),
    ("openai/gpt-5.4-mini", "OpenAI: GPT-5.4 Mini", 1773705600, 400_000, 128_000, TEXT_AND_IMAGE, "OpenAI",
     _price("0.75", "4.5", read="0.075"), True, True),
    ("openai/gpt-5", "OpenAI: GPT-5", 1754587413, 400_000, 128_000, TEXT_AND_IMAGE, "OpenAI",
     _price("1.25", "10", read="0.125"), True, True),
    ("openai/gpt-5-mini", "OpenAI: GPT-5 Mini", 1754587407, 400_000, 128_000, TEXT_AND_IMAGE, "OpenAI",
     _price("0.25", "2", read="0.025"), True, True),
    ("openai/gpt-4o", "OpenAI: GPT-4o", 1715558400, 128_000, 16_384, TEXT_AND_IMAGE, "OpenAI",
     _price("2.5", "10", read="1.25"), True, False),
    ("openai/gpt-4o-mini", "OpenAI: GPT-4o-mini", 1721260800, 128_000, 16_384, TEXT_AND_IMAGE, "OpenAI",
     _price("0.15", "0.6", read="0.075"), True, False),
    ("openai/gpt-4-turbo", "OpenAI: GPT-4 Turbo", 1712620800, 128_000, 4096, TEXT_AND_IMAGE, "OpenAI",
     _price("10", "30"), False, False),
    ("openai/gpt-3.5-turbo", "OpenAI: GPT-3.5 Turbo", 1685232000, 16_385, 4096, TEXT, "OpenAI",
     _price("0.5", "1.5"), False, False),
    ("anthropic/claude-sonnet-5.5", "Anthropic: Claude Sonnet 5.5", 0, 1_000_000, 128_000, TEXT_AND_IMAGE,
     "Anthropic", _price("2", "10", read="0.1", write="2.5"), True, False),
    ("anthropic/claude-haiku-5.5", "Anthropic: Claude Haiku 5.5", 0, 1_000_000, 128_000, TEXT_AND_IMAGE,
     "Anthropic", _price("0.1", "0.5", read="0.01", write="0.125"), True, False),
    ("anthropic/claude-sonnet-4.5", "Anthropic: Claude Sonnet 4.5", 1759161676, 200_000, 64_000, TEXT_AND_IMAGE,
     "Anthropic", _price("3", "15", read="0.3", write="3.75"), True, False),
    ("anthropic/claude-haiku-4.5", "Anthropic: Claude Haiku 4.5", 1760547638, 200_000, 64_000, TEXT_AND_IMAGE,
     "Anthropic", _price("1", "5", read="0.1", write="1.25"), True, False),
    ("anthropic/claude-3.5-sonnet", "Anthropic: Claude 3.5 Sonnet", 1729555200, 200_000, 8_192, TEXT_AND_IMAGE,
     "Anthropic", _price("3", "15", read="0.3", write="3.75"), False, False),
    ("anthropic/claude-3-opus", "Anthropic: Claude 3 Opus", 1709596800, 200_000, 4096, TEXT_AND_IMAGE,
     "Anthropic", _price("15", "75", read="1.5", write="18.75"), False, False),
    ("anthropic/claude-3-haiku", "Anthropic: Claude 3 Haiku", 1710288000, 200_000, 4096, TEXT_AND_IMAGE,
     "Anthropic", _price("0.25", "1.25", read="0.03", write="0.3"), False, False),
    ("google/gemini-pro-1.5", "Google: Gemini 1.5 Pro", 1712620800, 2_000_000, 8_192, TEXT_AND_IMAGE, "Google",
     _price("1.25", "5"), True, False),
    ("google/gemini-flash-1.5", "Google: Gemini 1.5 Flash", 1715644800, 1_000_000, 8_192, TEXT_AND_IMAGE, "Google",
     _price("0.075", "0.3"), True, False),
    ("google/gemini-2.5-flash", "Google: Gemini 2.5 Flash", 1750172488, 1_048_576, 65_535, TEXT_AND_IMAGE, "Google",
     _price("0.3", "2.5", read="0.03"), True, False),
    ("meta-llama/llama-3-70b-instruct", "Meta: Llama 3 70B Instruct", 1713398400, 8_192, 8_000, TEXT, "Novita",
     _price("0.3", "0.4"), False, False),
    ("mistralai/mixtral-8x7b-instruct", "Mistral: Mixtral 8x7B Instruct", 1702166400, 32_768, 16_384, TEXT,
     "DeepInfra", _price("0.24", "0.24"), False, False),
    ("mistralai/mistral-small-3.2-24b-instruct", "Mistral: Mistral Small 3.2 24B", 1750443016, 131_072, 131_072,
     TEXT_AND_IMAGE, "Mistral", _price("0.1", "0.3", read="0.01"), True, False),
    ("deepseek/deepseek-chat", "DeepSeek: DeepSeek V3", 1735241320, 163_840, 16_384, TEXT, "DeepSeek",
     _price("0.2574", "1.0287"), True, False),
)  # fmt: skip

OPENROUTER = _table(
    *(
        Offering(
            model, name, created, context, output, inputs=inputs, served_by=host, price=price,
            typed_output=typed, reasoning=reasoning,
        )
        for model, name, created, context, output, inputs, host, price, typed, reasoning in _ROUTED
    ),
    Offering(
        "openai/text-embedding-3-small", "OpenAI: Text Embedding 3 Small", 1761862866, 8_192, 0, dimensions=1536,
        served_by="OpenAI", price=_price("0.02"),
    ),
    Offering(
        "openai/text-embedding-3-large", "OpenAI: Text Embedding 3 Large", 1761862866, 8_192, 0, dimensions=3072,
        served_by="OpenAI", price=_price("0.13"),
    ),
)  # fmt: skip


def find(table: dict[str, Offering], name: str) -> Offering | None:
    """The offering of that id, of that dated name, or None. OpenRouter's `:variant` suffix is ignored."""
    base = name.partition(":")[0]
    if base in table:
        return table[base]
    return next((offering for offering in table.values() if offering.answers_as == base), None)
