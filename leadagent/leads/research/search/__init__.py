"""The registry of search services: the one place that lists them. Each is loaded when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from django.conf import settings

from leadagent.leads.research.search.base import Result, SearchFailed, SearchProvider

# Name in SEARCH_PROVIDER -> the module whose `from_settings` makes it.
_MODULES = {
    "brave": "leadagent.leads.research.search.brave",
    "tavily": "leadagent.leads.research.search.tavily",
    "searxng": "leadagent.leads.research.search.searxng",
}


def configured() -> SearchProvider | None:
    """The service that the operator has chosen; None without one."""
    if not settings.SEARCH_PROVIDER:
        return None
    make = cast("Callable[[], SearchProvider]", import_module(_MODULES[settings.SEARCH_PROVIDER]).from_settings)
    return make()


__all__ = ["Result", "SearchFailed", "SearchProvider", "configured"]
