"""What the services that speak OpenAI's wire format have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from byok.providers.base import PLACEHOLDER_KEY, Probe, Provider, UsageShape, timeout
from byok.providers.served import STANDARD, Served

if TYPE_CHECKING:
    import httpx2
    import openai
    from pydantic_ai.models import Model

    from byok.providers.base import AsyncClient, SyncClient

_SHAPES = {
    "/chat/completions": UsageShape("openai", "chat"),
    "/embeddings": UsageShape("openai", "embeddings"),
    "/responses": UsageShape("openai", "responses"),
}


# What accounting needs of a streamed answer.
_TOLD = ("id", "model", "service_tier", "tool_usage", "usage")
# What `service_tier` says of a call at the standard price: https://developers.openai.com/api/docs/api-reference/chat
_STANDARD_TIERS = frozenset({"", "auto", "default", "standard"})


class OpenAIWireProvider(Provider):
    # Automatic caching has no charge of its own; models that do charge for writing are listed with a price for it:
    # https://openai.com/index/api-prompt-caching/ and https://openrouter.ai/docs/guides/best-practices/prompt-caching
    cache_write_as_input = True

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def sync_client(self, http_client: httpx2.Client, headers: Mapping[str, str]) -> SyncClient:
        import openai

        return openai.OpenAI(http_client=http_client, **self._arguments(headers))

    def async_client(self, http_client: httpx2.AsyncClient, headers: Mapping[str, str]) -> AsyncClient:
        import openai

        return openai.AsyncOpenAI(http_client=http_client, **self._arguments(headers))

    def _arguments(self, headers: Mapping[str, str]) -> dict[str, Any]:
        # Whatever is left out here, the SDK would take from the process's environment.
        return {
            "api_key": PLACEHOLDER_KEY,
            "admin_api_key": "",
            "organization": "",
            "project": "",
            "webhook_secret": "",  # nosec B105
            "base_url": self.base_url,
            "timeout": timeout(),
            "max_retries": 0,
            "default_headers": dict(headers),
        }

    def agent_model(self, model_id: str, client: AsyncClient) -> Model:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(
            model_id,
            provider=OpenAIProvider(openai_client=cast("openai.AsyncOpenAI", client)),
        )

    def probe(self, model_id: str) -> Probe:
        # `max_tokens` is refused by reasoning models; fewer than 16 are refused where the Responses API
        # answers behind it: https://github.com/dotnet/extensions/issues/6945
        body = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 16}
        return Probe("/chat/completions", body)

    def began_to_answer(self, status: int, error: Mapping[str, Any]) -> bool:
        # A reasoning model spends them on thought: https://github.com/spiceai/spiceai/issues/7126
        return status == 400 and "model output limit was reached" in str(error.get("message") or "").lower()

    def usage_shape(self, path: str) -> UsageShape | None:
        return next((shape for end, shape in _SHAPES.items() if path.endswith(end)), None)

    def asking_for_usage(self, path: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        if content.get("stream") is not True or not path.endswith("/chat/completions"):
            return None
        options = content.get("stream_options")
        options = options if isinstance(options, Mapping) else {}
        if options.get("include_usage") is True:
            return None
        return {**content, "stream_options": {**options, "include_usage": True}}

    def fold_stream_event(self, folded: dict[str, Any], event: Mapping[str, Any]) -> bool:
        if event.get("error"):
            folded["error"] = event["error"]
        # The Responses API nests the answer in its events; chat has it at the top.
        inner = event.get("response")
        answer = inner if isinstance(inner, Mapping) else event
        folded.update({name: answer[name] for name in _TOLD if answer.get(name)})
        return bool(answer.get("usage"))

    def served(self, answer: Mapping[str, Any]) -> Served:
        # The tier that served the call, which may be another than was asked for.
        tier = str(answer.get("service_tier") or "")
        return STANDARD if tier in _STANDARD_TIERS else Served(tier[:20])
