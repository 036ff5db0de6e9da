"""The models that a provider offers, for choosing one: id, name, list prices, context, and why we would take it.

The list comes with the packaged price data (no provider is asked) and is a help, not a fence:
any name may be typed, and saving tests it at the provider.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Literal

from byok.providers import REGISTRY, Provider

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, TieredPrices

Kind = Literal["chat", "embedding"]

# Parts of names of models that neither talk nor embed, and of price rows that are no model's name.
_OTHER_USES = frozenset(
    {
        *("audio", "batch", "computer", "ft", "image", "live", "moderation", "realtime", "search"),
        *("transcribe", "translate", "tts", "vision", "whisper"),
        # Models that complete texts and do not talk.
        *("ada", "babbage", "curie", "davinci"),
    }
)


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One model. Prices are US dollars per million tokens, context is in tokens; None where nobody tells.

    `reason` says why it is recommended; empty for the others.
    """

    id: str
    name: str
    price_in: Decimal | None
    price_out: Decimal | None
    context_window: int | None
    reason: str = ""


def search_models(provider: str, kind: Kind, q: str = "", *, limit: int = 40) -> list[ModelOption]:
    """At most `limit` models whose id or name holds every word of `q`; recommended ones first, in their order."""
    words = q.lower().split()
    found = [option for option in _offered(provider, kind) if _holds(option, words)]
    # Stable: within a rank the list keeps its order.
    found.sort(key=lambda option: not option.reason and not option.id.lower().startswith(tuple(words) or ("",)))
    return found[:limit]


def find_model(provider: str, kind: Kind, model: str) -> ModelOption | None:
    """The offered model of that id, or None: it may exist all the same."""
    entry = REGISTRY.get(provider)
    if entry is None:
        return None
    wanted = entry.embedding_model_id(model) if kind == "embedding" else entry.model_id(model)
    return next((option for option in _offered(provider, kind) if option.id == wanted), None)


def count_models(provider: str, kind: Kind) -> int:
    """How many models the list knows."""
    return len(_offered(provider, kind))


def _holds(option: ModelOption, words: list[str]) -> bool:
    text = f"{option.id} {option.name}".lower()
    return all(word in text for word in words)


@cache
def _offered(provider: str, kind: Kind) -> tuple[ModelOption, ...]:
    entry = REGISTRY.get(provider)
    if entry is None:
        return ()
    if kind == "embedding":
        return tuple(
            _embedding_option(entry, name, first=not index) for index, name in enumerate(entry.embedding_models)
        )
    listed = {model.id: model for model in _listed(entry.price_source)}
    reasons = dict(entry.chat_models)
    recommended = [_option(name, listed.get(name), reason) for name, reason in reasons.items()]
    others = [_option(name, listed[name]) for name in sorted(listed) if name not in reasons and _talks(entry, name)]
    return (*recommended, *others)


def _talks(entry: Provider, name: str) -> bool:
    parts = name.replace("/", "-").replace(":", "-").replace(".", "-").split("-")
    if _OTHER_USES.intersection(parts) or "embedding" in name or name.endswith("-"):
        return False
    if ":" in name and "/" not in name:
        # A variant that only resellers have.
        return False
    try:
        return entry.check_model(name) == name
    except ValueError:
        return False


def _embedding_option(entry: Provider, name: str, *, first: bool) -> ModelOption:
    # A reseller charges what the vendor does and is not always listed itself.
    vendor, _, rest = name.rpartition("/")
    listed = {model.id: model for model in _listed(vendor or entry.price_source)}
    reason = "precise enough to find a document, and cheap" if first else ""
    return replace(_option(name, listed.get(rest), reason), name=name)


def _option(name: str, listed: ModelInfo | None, reason: str = "") -> ModelOption:
    if listed is None:
        return ModelOption(name, name, None, None, None, reason)
    prices = listed.get_prices(datetime.now(UTC))
    price_in, price_out = _base(prices.input_mtok), _base(prices.output_mtok)
    if name.endswith(":free"):
        price_in = price_out = Decimal(0)
    # The price data writes OpenAI's older models without their capitals.
    title = re.sub(r"^gpt[ -]", "GPT-", listed.name or name)
    return ModelOption(name, title, price_in, price_out, listed.context_window, reason)


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    return price if price is None or isinstance(price, Decimal) else price.base


def _listed(source: str) -> list[ModelInfo]:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().find_provider(None, source, None).models
