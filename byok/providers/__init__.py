"""The registry of providers: whatever file here holds a `PROVIDER` is in it."""

from byok.providers.base import Provider, UsageShape, WrongKey
from byok.providers.finding import find_providers
from byok.providers.served import BATCH, STANDARD, Served

# In the order in which pages offer them.
REGISTRY: dict[str, Provider] = find_providers(__name__, __path__)

__all__ = ["BATCH", "REGISTRY", "STANDARD", "Provider", "Served", "UsageShape", "WrongKey"]
