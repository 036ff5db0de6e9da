"""OpenRouter: every vendor's models behind one key. https://openrouter.ai/docs/api-reference/errors"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

from django.utils.encoding import iri_to_uri, punycode

from byok.errors import classify_status
from byok.providers.base import MOST_TOKENS, Generation, UsageShape, WrongKey, believed_cost
from byok.providers.key_facts import KeyFacts, dollars, moment
from byok.providers.openai_wire import OpenAIWireProvider

if TYPE_CHECKING:
    import openai
    from pydantic_ai.models import Model

    from byok.providers.base import AsyncClient


# Ways of routing that a name may end with; lists do not name them:
# https://openrouter.ai/docs/guides/routing/model-variants
_ROUTING_VARIANTS = frozenset({"nitro", "floor", "online", "exacto"})


class OpenRouter(OpenAIWireProvider):
    id = "openrouter"
    label = "OpenRouter"
    address = "https://openrouter.ai/api/v1"
    about = "One key for more than 100 models of OpenAI, Anthropic, Google and others, paid in one place."
    place = 10
    key_page = "openrouter.ai/keys"
    key_example = "sk-or-v1-…"
    key_prefixes = ("sk-or-v1-",)
    offers_embeddings = True
    chat_models = (
        ("anthropic/claude-sonnet-5.5", "best quality"),
        ("anthropic/claude-haiku-5.5", "fast and cheap"),
        ("openai/gpt-5.4", "OpenAI's all-rounder"),
        ("deepseek/deepseek-chat", "very cheap"),
    )
    embedding_models = (
        "openai/text-embedding-3-small",
        "openai/text-embedding-3-large",
    )
    price_source = "openrouter"
    connects = True
    # https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key
    key_path = "/key"
    # `/models` is public and proves nothing; this one is what the account may use:
    # https://openrouter.ai/docs/api/api-reference/models/list-models-filtered-by-user-provider-preferences-privacy-settings-and-guardrails
    chat_models_path = "/models/user"
    # https://openrouter.ai/docs/api/api-reference/embeddings/list-all-embeddings-models
    embedding_models_path = "/embeddings/models"
    credit_page = "openrouter.ai/settings/credits"
    also_unlisted = "or the account's privacy settings and guardrails there leave it out"

    def check_key(self, key: str) -> str:
        if key.startswith("sk-ant-"):
            raise WrongKey(
                "This looks like an Anthropic key. Choose Anthropic as the provider, or paste an OpenRouter key."
            )
        if key.startswith("sk-") and not key.startswith("sk-or-"):
            raise WrongKey("This looks like an OpenAI key. Choose OpenAI as the provider, or paste an OpenRouter key.")
        return super().check_key(key)

    def read_key(self, answer: Mapping[str, Any]) -> KeyFacts | None:
        data = answer.get("data")
        # Of the documented fields `usage` is always there.
        if not isinstance(data, Mapping) or "usage" not in data:
            return None
        is_management = True in (data.get("is_management_key"), data.get("is_provisioning_key"))
        limit_reset = data.get("limit_reset")
        limit, remaining = dollars(data.get("limit")), dollars(data.get("limit_remaining"))
        # A figure that cannot be read is not the same as no limit.
        unreadable = (limit is None and data.get("limit") is not None) or (
            remaining is None and data.get("limit_remaining") is not None
        )
        return KeyFacts(
            wrong_kind=(
                "This is an OpenRouter management key: it manages keys and cannot call models." if is_management else ""
            ),
            tells_limit=not unreadable,
            limit=limit,
            limit_remaining=remaining,
            limit_reset=limit_reset if limit_reset in ("daily", "weekly", "monthly") else "",
            is_free_tier=data.get("is_free_tier") is True,
            tells_expiry=data.get("expires_at") is None or moment(data["expires_at"]) is not None,
            expires_at=moment(data.get("expires_at")),
        )

    def lists(self, model_id: str, listed: frozenset[str]) -> bool | None:
        if "@preset" in model_id:
            return None
        plain, _, variant = model_id.rpartition(":")
        return model_id in listed or (variant in _ROUTING_VARIANTS and plain in listed)

    def model_id(self, name: str) -> str:
        # The vendor is part of the name here.
        return name

    def embedding_model_id(self, name: str) -> str:
        return name if "/" in name else f"openai/{name}"

    def check_model(self, name: str) -> str:
        name = super().check_model(name)
        vendor, slash, rest = name.partition("/")
        if not (vendor and slash and rest):
            raise ValueError("At OpenRouter a model is named vendor/model, for example anthropic/claude-sonnet-5.5.")
        return name

    def attribution_headers(self, *, site_url: str, site_name: str) -> dict[str, str]:
        return {"HTTP-Referer": _ascii_url(site_url), "X-Title": _ascii_line(site_name)}

    def agent_model(self, model_id: str, client: AsyncClient) -> Model:
        from pydantic_ai.models.openrouter import OpenRouterModel
        from pydantic_ai.providers.openrouter import OpenRouterProvider

        return OpenRouterModel(
            model_id,
            provider=OpenRouterProvider(openai_client=cast("openai.AsyncOpenAI", client)),
        )

    def usage_shape(self, path: str) -> UsageShape | None:
        # Its chat answers add cache writes and its own cost; embeddings are OpenAI's to the letter.
        return UsageShape("openrouter", "chat") if path.endswith("/chat/completions") else super().usage_shape(path)

    def reported_cost(self, answer: Mapping[str, Any]) -> Decimal | None:
        """`usage.cost`, plus what the upstream bills to the account's own upstream key (`is_byok`)."""
        usage = answer.get("usage")
        if not isinstance(usage, Mapping):
            return None
        details = usage.get("cost_details")
        upstream = details.get("upstream_inference_cost") if isinstance(details, Mapping) else None
        return _whole_cost(usage.get("cost"), upstream, is_byok=usage.get("is_byok") is True)

    def generation_path(self, request_id: str) -> str:
        # https://openrouter.ai/docs/api/api-reference/generations/get-generation
        return f"/generation?{urlencode({'id': request_id})}" if request_id.startswith("gen-") else ""

    def read_generation(self, answer: Mapping[str, Any]) -> Generation | None:
        data = answer.get("data")
        if not isinstance(data, Mapping):
            return None
        upstream = data.get("upstream_inference_cost")
        cost = _whole_cost(data.get("total_cost"), upstream, is_byok=data.get("is_byok") is True)
        # As the upstream counts, which is what is billed.
        prompt, output = _count(data.get("native_tokens_prompt")), _count(data.get("native_tokens_completion"))
        cached, reasoning = _count(data.get("native_tokens_cached")), _count(data.get("native_tokens_reasoning"))
        if cost is None:
            return None
        return Generation(
            cost=cost,
            input_tokens=max(prompt - cached, 0),
            cached_input_tokens=cached,
            output_tokens=output,
            reasoning_tokens=min(reasoning, output),
        )

    def is_free(self, model_id: str) -> bool:
        # https://openrouter.ai/docs/guides/routing/model-variants/free
        return model_id.endswith(":free")

    def classify(self, status: int, error: Mapping[str, Any]) -> str:
        text = str(error.get("message") or "").lower()
        match status:
            case 402 if "key limit" in text or "limit exceeded" in text:
                return "key_limit"
            case 403 if "key limit" in text:
                return "key_limit"
            case 403 if "moderation" in text or "flagged" in text:
                return "content_refused"
            case 400 if "context length" in text or "maximum context" in text:
                return "context_too_long"
            case 400 if "not a valid model" in text:
                return "model_not_found"
            case _:
                return classify_status(status)


def _ascii_line(text: str) -> str:
    """A header's value: letters without their accents, nothing that a header may not hold."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())


def _ascii_url(url: str) -> str:
    parts = urlsplit(url)
    return iri_to_uri(parts._replace(netloc=punycode(parts.netloc)).geturl())


def _whole_cost(cost: object, upstream: object, *, is_byok: bool) -> Decimal | None:
    whole = believed_cost(dollars(cost))
    if whole is None or not is_byok:
        return whole
    # Billed upstream, but we are not told how much: the sum is unknown.
    upstream_cost = believed_cost(dollars(upstream))
    return None if upstream_cost is None else whole + upstream_cost


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else 0


PROVIDER = OpenRouter()
