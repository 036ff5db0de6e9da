"""Brave Search. https://api-dashboard.search.brave.com/app/documentation/web-search"""

from __future__ import annotations

from typing import Any

import httpx2
from django.conf import settings

from leadagent.leads.research.search.base import MOST_RESULTS, SearchProvider

URL = "https://api.search.brave.com/res/v1/web/search"


class Brave(SearchProvider):
    label = "Brave Search"
    fields = ("title", "url", "description")

    def __init__(self, key: str) -> None:
        if not key:
            raise ValueError("Brave Search needs a key.")
        self._key = key

    def request(self, query: str) -> httpx2.Request:
        # Without text_decorations the excerpts hold <strong> tags.
        params = {"q": query, "count": str(MOST_RESULTS), "text_decorations": "false"}
        headers = {"Accept": "application/json", "X-Subscription-Token": self._key}
        return httpx2.Request("GET", URL, params=params, headers=headers)

    def read(self, answer: dict[str, Any]) -> Any:
        # A search without hits has no `web` at all.
        return answer.get("web", {}).get("results", [])


def from_settings() -> Brave:
    """With the operator's key."""
    return Brave(settings.BRAVE_SEARCH_API_KEY)
