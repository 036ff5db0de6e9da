"""The registry of providers: the one place that lists them."""

from byok.providers.anthropic import PROVIDER as ANTHROPIC
from byok.providers.base import Provider, UsageShape, WrongKey
from byok.providers.openai import PROVIDER as OPENAI
from byok.providers.openrouter import PROVIDER as OPENROUTER
from byok.providers.served import BATCH, STANDARD, Served

# In the order in which pages offer them.
REGISTRY: dict[str, Provider] = {provider.id: provider for provider in (OPENROUTER, OPENAI, ANTHROPIC)}

__all__ = ["BATCH", "REGISTRY", "STANDARD", "Provider", "Served", "UsageShape", "WrongKey"]
