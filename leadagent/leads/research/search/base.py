"""What every search service has in common: one request to its own address, and a short, checked list of results."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx2

from leadagent import egress
from leadagent.leads.text import one_line

MOST_RESULTS = 8
SECONDS = 10.0
MAX_BODY = 1024 * 1024
_TITLE, _EXCERPT = 200, 600


class SearchFailed(Exception):
    """No results came. The text says why, without key or address; `permanent` when trying again does not help."""

    def __init__(self, sentence: str, *, permanent: bool) -> None:
        super().__init__(sentence)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Result:
    """One hit; `url` is an address that may be opened."""

    title: str
    url: str
    excerpt: str


class SearchProvider(ABC):
    """One service. `label` is its name for people."""

    label: str
    # By status: what an operator has to mend.
    refusals = {
        400: "it did not accept the request.",
        401: "it refused the key.",
        402: "its plan is used up.",
        403: "it refused the key, or does not answer to programs.",
        404: "there is no search at its address.",
        422: "it did not accept the request.",
    }

    @abstractmethod
    def request(self, query: str) -> httpx2.Request:
        """The one request of a search."""

    @abstractmethod
    def read(self, answer: dict[str, Any]) -> Any:
        """The list of hits inside an answer, each a mapping that `fields` names parts of."""

    # The parts of a hit: title, address, excerpt.
    fields: tuple[str, str, str] = ("title", "url", "content")

    def search(self, query: str, *, transport: httpx2.BaseTransport | None = None) -> list[Result]:
        """At most eight results, best first. Raises `SearchFailed`. `transport`: the way to the network, for tests."""
        status, body = self._send(self.request(query), transport)
        if status != 200:
            raise self._refusal(status)
        try:
            answer = json.loads(body)
            hits = self.read(answer) if isinstance(answer, dict) else None
        except (ValueError, KeyError, TypeError, AttributeError):
            hits = None
        if not isinstance(hits, list):
            raise SearchFailed("its answer could not be read.", permanent=False)
        found = (self._result(hit) for hit in hits if isinstance(hit, dict))
        # The same page twice is one result.
        return list({result.url: result for result in found if result is not None}.values())[:MOST_RESULTS]

    def _send(self, request: httpx2.Request, transport: httpx2.BaseTransport | None) -> tuple[int, bytes]:
        deadline = time.monotonic() + SECONDS
        try:
            with (
                # No proxy of the environment, and a key is not carried to where a redirect leads.
                httpx2.Client(trust_env=False, follow_redirects=False, timeout=SECONDS, transport=transport) as client,
                closing(client.send(request, stream=True)) as response,
            ):
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY or time.monotonic() > deadline:
                        raise SearchFailed("its answer was too long.", permanent=False)
                return response.status_code, bytes(body)
        except httpx2.TimeoutException:
            raise SearchFailed("it did not answer in time.", permanent=False) from None
        except httpx2.HTTPError:
            # The original holds the request, and that one holds the key.
            raise SearchFailed("it could not be reached.", permanent=False) from None

    def _refusal(self, status: int) -> SearchFailed:
        if status in self.refusals:
            return SearchFailed(self.refusals[status], permanent=True)
        if status == 429:
            return SearchFailed("it limits how often it may be asked.", permanent=False)
        if 300 <= status < 400:
            return SearchFailed("it sent the request on to another address.", permanent=True)
        return SearchFailed(f"it answered with status {status}.", permanent=False)

    def _result(self, hit: dict[str, Any]) -> Result | None:
        title, url, excerpt = (value if isinstance(value := hit.get(name), str) else "" for name in self.fields)
        try:
            egress.read_url(url)
        except egress.EgressRefused:
            return None
        return Result(one_line(title, limit=_TITLE) or url, url, one_line(excerpt, limit=_EXCERPT))
