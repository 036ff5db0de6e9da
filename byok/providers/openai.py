"""OpenAI, reached directly. https://platform.openai.com/docs/guides/error-codes"""

from collections.abc import Mapping
from typing import Any

from byok.errors import classify_status
from byok.providers.base import BatchLimits, WrongKey
from byok.providers.openai_wire import OpenAIWireProvider


class OpenAI(OpenAIWireProvider):
    id = "openai"
    label = "OpenAI"
    address = "https://api.openai.com/v1"
    about = "GPT models and embeddings, billed to your own OpenAI account."
    place = 20
    key_page = "platform.openai.com/api-keys"
    key_example = "sk-proj-…"
    key_prefixes = ("sk-proj-", "sk-svcacct-", "sk-")
    offers_embeddings = True
    # From 5.6 on its models take tools at this address only with their reasoning switched off.
    chat_models = (
        ("gpt-5.4", "best quality"),
        ("gpt-5.4-mini", "fast and cheap"),
        ("gpt-5.5", "for the hardest cases"),
    )
    embedding_models = ("text-embedding-3-small", "text-embedding-3-large")
    # It takes 2,048 texts and 300,000 tokens (https://platform.openai.com/docs/api-reference/embeddings/create);
    # a call that is lost on the way is paid again, so that fewer are sent at once.
    embedding_batch = BatchLimits(inputs=256, tokens=200_000)
    price_source = "openai"
    # One list for both, and it needs a valid key: https://platform.openai.com/docs/api-reference/models/list
    key_path = chat_models_path = embedding_models_path = "/models"
    credit_page = "platform.openai.com/settings/organization/billing"
    credit_untold = "OpenAI tells an API key nothing about the account's credit."

    def check_key(self, key: str) -> str:
        if key.startswith("sk-or-"):
            raise WrongKey(
                "This looks like an OpenRouter key. Choose OpenRouter as the provider, or paste an OpenAI key."
            )
        if key.startswith("sk-ant-"):
            raise WrongKey(
                "This looks like an Anthropic key. Choose Anthropic as the provider, or paste an OpenAI key."
            )
        if key.startswith("sk-admin-"):
            raise WrongKey(
                "This is an OpenAI admin key: it manages the account and cannot call models. Use a project key."
            )
        return super().check_key(key)

    def is_about_the_caller(self, refusal: str) -> bool:
        # https://platform.openai.com/docs/guides/error-codes: 403, "Country, region, or territory not supported"
        return "territory not supported" in refusal.lower()

    def classify(self, status: int, error: Mapping[str, Any]) -> str:
        code, kind = str(error.get("code") or ""), str(error.get("type") or "")
        text = str(error.get("message") or "").lower()
        match status:
            # A restricted key is a valid key: the status is the same as for a wrong one.
            case 401 if "missing scopes" in text or "insufficient permissions" in text:
                return "missing_scope"
            case 403 if code == "unsupported_country_region_territory":
                return "region_refused"
            case 429 if "insufficient_quota" in (code, kind):
                return "no_credit"
            case 400 if code == "context_length_exceeded":
                return "context_too_long"
            case 400 if code in {"content_filter", "content_policy_violation"}:
                return "content_refused"
            case 400 if code == "model_not_found":
                return "model_not_found"
            case _:
                return classify_status(status)


PROVIDER = OpenAI()
