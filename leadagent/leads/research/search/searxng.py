"""SearXNG, run by the operator. https://docs.searxng.org/dev/search_api.html

Its `search.formats` must list `json`; otherwise it answers 403.
"""

from __future__ import annotations

from typing import Any

import httpx2
from django.conf import settings

from leadagent.leads.research.search.base import SearchProvider


class SearXNG(SearchProvider):
    label = "SearXNG"
    refusals = {**SearchProvider.refusals, 403: "it does not hand out JSON (search.formats in its settings)."}

    def __init__(self, url: str) -> None:
        if not url:
            raise ValueError("SearXNG needs an address.")
        self._url = url.rstrip("/")

    def request(self, query: str) -> httpx2.Request:
        params = {"q": query, "format": "json", "categories": "general", "safesearch": "1"}
        return httpx2.Request("GET", f"{self._url}/search", params=params, headers={"Accept": "application/json"})

    def read(self, answer: dict[str, Any]) -> Any:
        return answer["results"]


def from_settings() -> SearXNG:
    """At the operator's address."""
    return SearXNG(settings.SEARXNG_URL)
