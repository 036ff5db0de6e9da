"""Finds the providers: each is one file of this folder that holds a `PROVIDER`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from byok.providers.base import Provider

# Stored in columns of 20 characters, and a part of addresses.
_ID = re.compile(r"[a-z][a-z0-9]{0,19}")


def find_providers(package: str, path: Iterable[str]) -> dict[str, Provider]:
    """The providers of a package by their ids, in the order in which pages offer them.

    Raises `ImproperlyConfigured` for one that could not be stored or would send keys in the clear.
    """
    modules = (import_module(f"{package}.{found.name}") for found in iter_modules(path))
    providers = [module.PROVIDER for module in modules if hasattr(module, "PROVIDER")]
    found: dict[str, Provider] = {}
    for provider in sorted(providers, key=lambda each: (each.place, each.label)):
        _check(provider)
        if provider.id in found:
            raise ImproperlyConfigured(f"Two providers are called {provider.id!r}.")
        found[provider.id] = provider
    return found


def _check(provider: Provider) -> None:
    if not _ID.fullmatch(provider.id):
        raise ImproperlyConfigured(
            f"A provider is called {provider.id!r}: use at most 20 lower case letters and digits, a letter first."
        )
    if urlsplit(provider.address).scheme != "https":
        raise ImproperlyConfigured(f"{provider.label} is at {provider.address!r}: keys travel by https only.")
