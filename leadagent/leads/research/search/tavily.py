"""Tavily. https://docs.tavily.com/documentation/api-reference/endpoint/search"""

from __future__ import annotations

from typing import Any

import httpx2
from django.conf import settings

from leadagent.leads.research.search.base import MOST_RESULTS, SearchProvider

URL = "https://api.tavily.com/search"


class Tavily(SearchProvider):
    label = "Tavily"
    # Their own statuses: the plan's limit, and the pay-as-you-go limit.
    refusals = {**SearchProvider.refusals, 432: "its plan is used up.", 433: "its spending limit is reached."}

    def __init__(self, key: str) -> None:
        if not key:
            raise ValueError("Tavily needs a key.")
        self._key = key

    def request(self, query: str) -> httpx2.Request:
        body = {"query": query, "max_results": MOST_RESULTS, "search_depth": "basic"}
        return httpx2.Request("POST", URL, json=body, headers={"Authorization": f"Bearer {self._key}"})

    def read(self, answer: dict[str, Any]) -> Any:
        return answer["results"]


def from_settings() -> Tavily:
    """With the operator's key."""
    return Tavily(settings.TAVILY_API_KEY)
