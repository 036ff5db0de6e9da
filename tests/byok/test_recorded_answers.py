"""Answers as the providers document them, sent through the real clients and wire, and priced to the last digit by hand.

Shapes: https://developers.openai.com/api/docs/api-reference, https://platform.claude.com/docs/en/api/messages,
https://openrouter.ai/docs/use-cases/usage-accounting. The texts in them are ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from byok.config.ai_config import ModelKind
from byok.config.saving import save_ai_config
from byok.pricing import price_version
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.fake_provider import FakeProvider, streamed
from tests.byok.keys import KEYS
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

ANSWERS = Path(__file__).parent / "answers"


@dataclass(frozen=True)
class Recorded:
    """`tokens`: uncached, cache read, cache write, output, of which reasoning. Costs are US dollars, None unknown."""

    file: str
    provider: str
    model: str
    tokens: tuple[int, int, int, int, int]
    actual: str | None
    estimated: str | None
    way: str = "chat"
    version: str = ""
    cut: bool = False


RECORDED = [
    # 1234 x 0.15 + 56 x 0.60 = 185.10 + 33.60 = 218.70 per million
    Recorded("openai_chat.json", "openai", "gpt-4o-mini", (1234, 0, 0, 56, 0), None, "0.0002187"),
    # 4321 - 3072 = 1249 were not cached; the 640 of reasoning are among the 987.
    # 1249 x 0.25 + 3072 x 0.025 + 987 x 2 = 312.25 + 76.80 + 1974 = 2363.05 per million
    Recorded(
        "openai_chat_cached_reasoning.json", "openai", "gpt-5-mini", (1249, 3072, 0, 987, 640), None, "0.00236305"
    ),
    # The same, served in the flex tier at half the price: 2363.05 / 2 = 1181.525
    Recorded(
        "openai_chat_flex.json", "openai", "gpt-5-mini", (1249, 3072, 0, 987, 640), None, "0.001181525", version=", flex"
    ),
    # 272,001 are more than 272,000, so input of every kind costs twice and output one and a half times:
    # 2001 x 4 + 200,000 x 0.40 + 70,000 x 5 + 1000 x 15 = 8004 + 80,000 + 350,000 + 15,000 = 453,004
    Recorded("openai_chat_long.json", "openai", "gpt-6-sol", (2001, 200_000, 70_000, 1000, 300), None, "0.453004"),
    # 1024 x 0.15 + 1024 x 0.075 + 17 x 0.60 = 153.60 + 76.80 + 10.20 = 240.60
    Recorded("openai_chat.sse", "openai", "gpt-4o-mini", (1024, 1024, 0, 17, 0), None, "0.0002406"),
    # Cut before the figures came: what was billed is unknown, not zero.
    Recorded("openai_chat_cut.sse", "openai", "gpt-4o-mini", (0, 0, 0, 0, 0), None, None, cut=True),
    # 5000 - 2048 - 1500 = 1452 were neither read from the cache nor written to it.
    # 1452 x 2 + 2048 x 0.20 + 1500 x 2.50 + 800 x 10 = 2904 + 409.60 + 3750 + 8000 = 15,063.60
    Recorded(
        "openai_responses.json", "openai", "gpt-6-sol", (1452, 2048, 1500, 800, 512), None, "0.0150636", "responses"
    ),
    Recorded(
        "openai_responses.sse", "openai", "gpt-6-sol", (1452, 2048, 1500, 800, 512), None, "0.0150636", "responses"
    ),
    # 321 x 0.02 = 6.42
    Recorded(
        "openai_embeddings.json", "openai", "text-embedding-3-small", (321, 0, 0, 0, 0), None, "0.00000642", "embedding"
    ),
    # 777 x 1 + 33 x 5 = 777 + 165 = 942
    Recorded("anthropic_plain.json", "anthropic", "claude-haiku-4-5", (777, 0, 0, 33, 0), None, "0.000942"),
    # 210 x 1 + 9000 x 0.10 + 2000 x 1.25 + 1100 x 2 + 345 x 5 = 210 + 900 + 2500 + 2200 + 1725 = 7535
    Recorded("anthropic_cache.json", "anthropic", "claude-haiku-4-5", (210, 9000, 3100, 345, 120), None, "0.007535"),
    Recorded("anthropic_cache.sse", "anthropic", "claude-haiku-4-5", (210, 9000, 3100, 345, 120), None, "0.007535"),
    # Cut after the input was stated: its tokens are kept, the cost is unknown.
    Recorded("anthropic_cut.sse", "anthropic", "claude-haiku-4-5", (210, 9000, 3100, 2, 0), None, None, cut=True),
    # (777 x 4 + 33 x 20) x 1.1 = (3108 + 660) x 1.1 = 3768 x 1.1 = 4144.8
    Recorded(
        "anthropic_us_only.json", "anthropic", "claude-opus-5-5", (777, 0, 0, 33, 0), None, "0.0041448", version=", x1.1"
    ),
    # `upstream_inference_cost` is part of `cost` here. Beside it: 1000 x 0.15 + 500 x 0.60 = 450
    Recorded("openrouter_plain.json", "openrouter", "openai/gpt-4o-mini", (1000, 0, 0, 500, 0), "0.00045", "0.00045"),
    # The vendor bills 0.00045 to one's own key there, OpenRouter takes 5 % of it: 0.0000225 + 0.00045
    Recorded("openrouter_byok.json", "openrouter", "openai/gpt-4o-mini", (1000, 0, 0, 500, 0), "0.0004725", "0.00045"),
    # Within the requests without a fee `cost` is 0, and the call is not free for all that.
    Recorded(
        "openrouter_byok_free_fee.json", "openrouter", "openai/gpt-4o-mini", (1000, 0, 0, 500, 0), "0.00045", "0.00045"
    ),
    # What the vendor bills is not told: nothing is reported, and the estimate stands in.
    Recorded(
        "openrouter_byok_untold.json", "openrouter", "openai/gpt-4o-mini", (1000, 0, 0, 500, 0), None, "0.00045"
    ),
    # 9000 - 6000 - 2000 = 1000: 1000 x 1 + 6000 x 0.10 + 2000 x 1.25 + 300 x 5 = 1000 + 600 + 2500 + 1500 = 5600.
    # OpenRouter says 0.0048: that counts.
    Recorded(
        "openrouter_cached.json", "openrouter", "anthropic/claude-haiku-4.5", (1000, 6000, 2000, 300, 100),
        "0.0048", "0.0056",
    ),
    # 2000 - 1280 = 720: 720 x 0.25 + 1280 x 0.025 + 700 x 2 = 180 + 32 + 1400 = 1612; OpenRouter says 0.001644
    Recorded("openrouter.sse", "openrouter", "openai/gpt-5-mini", (720, 1280, 0, 700, 448), "0.001644", "0.001612"),
    Recorded("openrouter_cut.sse", "openrouter", "openai/gpt-5-mini", (0, 0, 0, 0, 0), None, None, cut=True),
]  # fmt: skip


def test_every_recorded_answer_is_priced() -> None:
    assert {path.name for path in ANSWERS.iterdir()} == {recorded.file for recorded in RECORDED}


def call(model: TenantModel, recorded: Recorded) -> None:
    """One call with the official client that fits; a stream is read to its end."""
    client: Any = model.client()
    stream: dict[str, Any] = {"stream": True} if recorded.file.endswith(".sse") else {}
    if recorded.way == "embedding":
        client.embeddings.create(model=recorded.model, input="Hello", encoding_format="float")
        return
    if recorded.way == "responses":
        answer = client.responses.create(model=recorded.model, input="Hello", **stream)
    elif recorded.provider == "anthropic":
        messages = [{"role": "user", "content": "Hello"}]
        answer = client.messages.create(model=recorded.model, max_tokens=1000, messages=messages, **stream)
    else:
        messages = [{"role": "user", "content": "Hello"}]
        answer = client.chat.completions.create(model=recorded.model, messages=messages, **stream)
    if stream:
        list(answer)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.file)
def test_it_is_priced_to_the_last_digit(
    organization: Organization, fake: FakeProvider, rows: Callable[[], list[AIUsage]], recorded: Recorded
) -> None:
    content = (ANSWERS / recorded.file).read_bytes()
    if recorded.file.endswith(".sse"):
        fake.answer = lambda request: streamed([content])
    else:
        fake.answer = lambda request: httpx2.Response(
            200, headers={"content-type": "application/json"}, content=content
        )
    kind: ModelKind = "embedding" if recorded.way == "embedding" else "chat"
    save_ai_config(organization, provider=recorded.provider, chat_model=recorded.model, api_key=KEYS[recorded.provider])
    call(get_model_for_tenant(organization, kind, operation="research"), recorded)
    (row,) = rows()
    tokens = (
        row.input_tokens,
        row.cached_input_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
    )
    assert tokens == recorded.tokens
    assert row.total_tokens == sum(recorded.tokens[:4])
    assert row.actual_cost == (None if recorded.actual is None else Decimal(recorded.actual))
    assert row.estimated_cost == (None if recorded.estimated is None else Decimal(recorded.estimated))
    assert (row.success, row.error_code) == ((False, "stream_cut") if recorded.cut else (True, ""))
    assert row.model == recorded.model
    if any(tokens):
        assert row.price_version == price_version() + recorded.version


def test_a_price_that_is_missing_is_not_zero(
    organization: Organization, fake: FakeProvider, rows: Callable[[], list[AIUsage]]
) -> None:
    """The same answer from a model that nobody lists."""
    content = (ANSWERS / "openai_chat.json").read_text().replace("gpt-4o-mini-2024-07-18", "gpt-99-imaginary")
    fake.answers(200, content.encode())
    save_ai_config(organization, provider="openai", chat_model="gpt-99-imaginary", api_key=KEYS["openai"])
    model = get_model_for_tenant(organization, "chat", operation="research")
    call(model, Recorded("", "openai", "gpt-99-imaginary", (0, 0, 0, 0, 0), None, None))
    (row,) = rows()
    assert (row.input_tokens, row.cost) == (1234, None)
