"""What a provider is: facts, a way to build its SDK's clients, and how to read its refusals.

A provider is one file with one `Provider` in it, which the registry finds by itself
(docs/adding-a-provider.md). SDKs are imported inside the methods that need them: they
cost seconds, and a web process that only shows pages should not pay for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings

from byok.errors import classify_status
from byok.providers.key_facts import KeyFacts
from byok.providers.served import STANDARD, Served

if TYPE_CHECKING:
    import anthropic
    import httpx2
    import openai
    from pydantic_ai.models import Model

    SyncClient = openai.OpenAI | anthropic.Anthropic
    AsyncClient = openai.AsyncOpenAI | anthropic.AsyncAnthropic

# What SDK objects hold in place of a key. The transport puts the real one on the wire.
PLACEHOLDER_KEY = "held-by-leadagent"


# More than any call reads, writes or costs (US dollars): an answer that states more is not believed.
MOST_TOKENS = 1_000_000_000
MOST_COST = Decimal(1_000_000)


def believed_cost(cost: Decimal | None) -> Decimal | None:
    """US dollars as an answer states them; None, unknown, for what no call can cost and no column could hold."""
    return cost if cost is not None and 0 <= cost <= MOST_COST else None


class WrongKey(ValueError):
    """A text that cannot be a key of this provider; the message is a sentence for the form."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The smallest call that shows that a model answers: what to post, and where below the base URL."""

    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The most that one call for embeddings carries: texts, and tokens of all of them together."""

    inputs: int
    tokens: int


@dataclass(frozen=True, slots=True)
class UsageShape:
    """genai-prices' names for the shape of a usage object: whose API, and which of its flavours."""

    source: str
    flavor: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What a provider tells of an answer afterwards. Disjoint token buckets; `cost` in US dollars."""

    cost: Decimal
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int


class Provider(ABC):
    """One AI service. Instances are stateless and shared."""

    id: ClassVar[str]
    label: ClassVar[str]
    # Its real address, without a slash at the end; PROVIDER_<ID>_URL in the environment moves it.
    address: ClassVar[str]
    # What it is chosen for, in one sentence.
    about: ClassVar[str]
    # Where pages offer it: the smallest first, then by label.
    place: ClassVar[int] = 100
    key_page: ClassVar[str]
    key_example: ClassVar[str]
    # What a key begins with, longest first; the longest match is shown on pages.
    key_prefixes: ClassVar[tuple[str, ...]]
    offers_embeddings: ClassVar[bool]
    # Models to begin with, the best first, each with its reason (a part of a sentence). All of them take tools.
    chat_models: ClassVar[tuple[tuple[str, str], ...]]
    embedding_models: ClassVar[tuple[str, ...]]
    # Modest where the service behind is not known: several take 96 or 100 texts at most.
    embedding_batch: ClassVar[BatchLimits] = BatchLimits(inputs=96, tokens=100_000)
    # genai-prices' name for the provider.
    price_source: ClassVar[str]
    # Whether its cache prices are published as multiples of the input price, so that they follow a negotiated one.
    cache_follows_input: ClassVar[bool] = False
    # Whether writing to the cache costs what input costs wherever no price for it is published.
    cache_write_as_input: ClassVar[bool] = False

    # --- Keys -----------------------------------------------------------------------

    def check_key(self, key: str) -> str:
        """Return the visible prefix of `key`; raise `WrongKey` with what is wrong with it."""
        prefix = next((p for p in self.key_prefixes if key.startswith(p)), None)
        if prefix is None:
            raise WrongKey(f"{self.label} keys look like {self.key_example}.")
        if len(key) < len(prefix) + 12:
            raise WrongKey("This key is too short: part of it seems to be missing.")
        return prefix

    @abstractmethod
    def auth_headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key; put on the wire copy of a request only."""

    # --- What a key may do ------------------------------------------------------------

    # Paths below the base URL; GET each. `key_path` proves that the key is accepted.
    key_path: ClassVar[str]
    chat_models_path: ClassVar[str]
    # Empty where no embeddings are offered.
    embedding_models_path: ClassVar[str] = ""
    # Headers without which the provider answers nothing at all.
    api_headers: ClassVar[Mapping[str, str]] = {}
    # Why a report says nothing about money; empty where `read_key` tells.
    credit_untold: ClassVar[str] = ""
    # Whether one click connects an account there (`byok.connecting.openrouter`).
    connects: ClassVar[bool] = False
    # Where credit is bought.
    credit_page: ClassVar[str]
    # What else can keep a model out of the list, as the end of a sentence that names the model.
    also_unlisted: ClassVar[str] = ""

    def read_key(self, answer: Mapping[str, Any]) -> KeyFacts | None:
        """What the answer at `key_path` tells about the key; None where it is no such answer."""
        return KeyFacts() if isinstance(answer.get("data"), list) else None

    def lists(self, model_id: str, listed: frozenset[str]) -> bool | None:
        """Whether a list of models names this one; None where a list cannot tell."""
        return model_id in listed

    def model_path(self, model_id: str) -> str:
        """Where a model that the list does not name can be asked for; empty where the list is complete."""
        return ""

    def is_about_the_caller(self, refusal: str) -> bool:
        """Whether the text of a 403 is about where the call came from, and says nothing about the key."""
        return False

    @abstractmethod
    def probe(self, model_id: str) -> Probe:
        """A call of the model with the fewest output tokens that the provider takes."""

    def began_to_answer(self, status: int, error: Mapping[str, Any]) -> bool:
        """Whether a refusal only says that the probe's few tokens were used up: the model was reached."""
        return False

    # --- Models ---------------------------------------------------------------------

    def model_id(self, name: str) -> str:
        """The name this provider knows a model by."""
        return name.removeprefix(f"{self.id}/")

    def embedding_model_id(self, name: str) -> str:
        return self.model_id(name)

    def check_model(self, name: str) -> str:
        """Return the model's name as stored; raise `ValueError` with a sentence for the form."""
        return name.strip()

    # --- Clients --------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        return str(settings.PROVIDER_URLS.get(self.id) or self.address)

    def attribution_headers(self, *, site_url: str, site_name: str) -> dict[str, str]:
        """Headers that name our application to the provider, where it has such a thing."""
        return {}

    @abstractmethod
    def sync_client(self, http_client: httpx2.Client, headers: Mapping[str, str]) -> SyncClient:
        """The official client on our HTTP client, every argument explicit, no key inside."""

    @abstractmethod
    def async_client(self, http_client: httpx2.AsyncClient, headers: Mapping[str, str]) -> AsyncClient: ...

    @abstractmethod
    def agent_model(self, model_id: str, client: AsyncClient) -> Model:
        """The same client as a pydantic-ai model."""

    # --- Answers --------------------------------------------------------------------

    @abstractmethod
    def usage_shape(self, path: str) -> UsageShape | None:
        """How usage is told in answers at this path; None for paths that generate nothing."""

    def asking_for_usage(self, path: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """The request body changed so that the answer will tell its usage, or None where it does anyway."""
        return None

    @abstractmethod
    def fold_stream_event(self, folded: dict[str, Any], event: Mapping[str, Any]) -> bool:
        """Fold one server-sent event into an answer with id, model and usage.

        True once the figures are final: what follows is only the stream's closing.
        """

    def reported_cost(self, answer: Mapping[str, Any]) -> Decimal | None:
        """The cost in US dollars that the answer itself states, or None."""
        return None

    def served(self, answer: Mapping[str, Any]) -> Served:
        """The tier and place in which the answer says that it was computed, as far as they decide the price."""
        return STANDARD

    def is_free(self, model_id: str) -> bool:
        """Whether the provider publishes that this model costs nothing."""
        return False

    # --- Asking afterwards ------------------------------------------------------------

    def generation_path(self, request_id: str) -> str:
        """Where (below the base URL) an answer can be asked about that was lost on the way; empty where nowhere."""
        return ""

    def read_generation(self, answer: Mapping[str, Any]) -> Generation | None:
        """What the answer at `generation_path` tells; None where it is no such answer, or does not tell the cost."""
        return None

    def classify(self, status: int, error: Mapping[str, Any]) -> str:
        """The error code (see `byok.error_kinds.KINDS`) for a refusal."""
        return classify_status(status)


def timeout() -> httpx2.Timeout:
    """Explicit, because the SDKs would wait ten minutes."""
    import httpx2

    return httpx2.Timeout(settings.AI_READ_TIMEOUT, connect=settings.AI_CONNECT_TIMEOUT)
