"""Anthropic, reached directly. https://docs.anthropic.com/en/api/errors"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from byok.errors import classify_status
from byok.providers.base import PLACEHOLDER_KEY, Probe, Provider, UsageShape, WrongKey, timeout
from byok.providers.served import Served

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from pydantic_ai.models import Model

    from byok.providers.base import AsyncClient, SyncClient


# Computing in the United States only: https://platform.claude.com/docs/en/manage-claude/data-residency
_US_ONLY = Decimal("1.1")


class Anthropic(Provider):
    id = "anthropic"
    label = "Anthropic"
    address = "https://api.anthropic.com"
    about = "Claude models, billed to your own Anthropic account. The knowledge base needs another provider."
    place = 30
    key_page = "console.anthropic.com/settings/keys"
    key_example = "sk-ant-api03-…"
    key_prefixes = ("sk-ant-api03-", "sk-ant-")
    offers_embeddings = False
    chat_models = (
        ("claude-sonnet-5-5", "best for most work"),
        ("claude-haiku-5-5", "fast and cheap"),
        ("claude-opus-5-5", "for the hardest cases"),
    )
    embedding_models = ()
    price_source = "anthropic"
    # https://platform.claude.com/docs/en/about-claude/pricing#prompt-caching
    cache_follows_input = True
    # The largest page there is: https://platform.claude.com/docs/en/api/models/list
    key_path = chat_models_path = "/v1/models?limit=1000"
    # https://platform.claude.com/docs/en/api/versioning
    api_headers = {"anthropic-version": "2023-06-01"}
    credit_page = "console.anthropic.com/settings/billing"
    credit_untold = "Anthropic tells an API key nothing about the account's credit."

    def check_key(self, key: str) -> str:
        if key.startswith("sk-ant-admin"):
            raise WrongKey(
                "This is an Anthropic admin key: it manages the account and cannot call models. Use an API key."
            )
        if key.startswith("sk-or-"):
            raise WrongKey(
                "This looks like an OpenRouter key. Choose OpenRouter as the provider, or paste an Anthropic key."
            )
        if key.startswith("sk-") and not key.startswith("sk-ant-"):
            raise WrongKey("This looks like an OpenAI key. Choose OpenAI as the provider, or paste an Anthropic key.")
        return super().check_key(key)

    def model_path(self, model_id: str) -> str:
        # The list has dated names; aliases are resolved here: https://platform.claude.com/docs/en/api/models/retrieve
        # Dots alone would be read as a way up.
        return f"/v1/models/{quote(model_id, safe='')}" if model_id.strip(".") else ""

    def probe(self, model_id: str) -> Probe:
        body = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        return Probe("/v1/messages", body)

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}

    def sync_client(self, http_client: httpx2.Client, headers: Mapping[str, str]) -> SyncClient:
        import anthropic

        return anthropic.Anthropic(http_client=http_client, **self._arguments(headers))

    def async_client(self, http_client: httpx2.AsyncClient, headers: Mapping[str, str]) -> AsyncClient:
        import anthropic

        return anthropic.AsyncAnthropic(http_client=http_client, **self._arguments(headers))

    def _arguments(self, headers: Mapping[str, str]) -> dict[str, Any]:
        # Whatever is left out here, the SDK would take from the process's environment.
        return {
            "api_key": PLACEHOLDER_KEY,
            "base_url": self.base_url,
            "timeout": timeout(),
            "max_retries": 0,
            "default_headers": dict(headers),
        }

    def agent_model(self, model_id: str, client: AsyncClient) -> Model:
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(
            model_id,
            provider=AnthropicProvider(anthropic_client=cast("anthropic.AsyncAnthropic", client)),
        )

    def usage_shape(self, path: str) -> UsageShape | None:
        return UsageShape("anthropic", "default") if path.endswith("/messages") else None

    def fold_stream_event(self, folded: dict[str, Any], event: Mapping[str, Any]) -> bool:
        """`message_start` carries model and input usage, `message_delta` the cumulative output usage."""
        match event.get("type"):
            case "message_start" if isinstance(message := event.get("message"), Mapping):
                folded.update({name: message[name] for name in ("id", "model") if name in message})
                folded["usage"] = dict(message.get("usage") or {})
            case "message_delta" if isinstance(usage := event.get("usage"), Mapping):
                counted = {name: value for name, value in usage.items() if value is not None}
                folded["usage"] = {**folded.get("usage", {}), **counted}
                return True
            case "error":
                folded["error"] = event.get("error")
        return False

    def served(self, answer: Mapping[str, Any]) -> Served:
        usage = answer.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        tier = str(usage.get("service_tier") or "standard")
        speed = str(usage.get("speed") or "standard")
        if speed != "standard":
            # Fast mode has its own table; nothing is published for fast batches or fast priority.
            tier = speed if tier == "standard" else f"{tier} {speed}"
        return Served(tier[:20], _US_ONLY if usage.get("inference_geo") == "us" else Decimal(1))

    def classify(self, status: int, error: Mapping[str, Any]) -> str:
        kind = str(error.get("type") or "")
        text = str(error.get("message") or "").lower()
        match status:
            # A low balance arrives as an invalid request.
            case 400 if "credit balance" in text:
                return "no_credit"
            case 400 if any(words in text for words in ("prompt is too long", "context limit", "context window")):
                return "context_too_long"
            case _ if kind == "billing_error":
                return "no_credit"
            case _ if kind == "overloaded_error":
                return "overloaded"
            case _:
                return classify_status(status)


PROVIDER = Anthropic()
