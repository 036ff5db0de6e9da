"""Search services: what is asked, what is taken of the answer, and what an operator is told when it fails."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pytest_django import Settings

from leadagent.leads.research.search import Result, SearchFailed, SearchProvider, configured
from leadagent.leads.research.search.base import MAX_BODY, MOST_RESULTS
from leadagent.leads.research.search.brave import Brave
from leadagent.leads.research.search.searxng import SearXNG
from leadagent.leads.research.search.tavily import Tavily

KEY = "search-key-0123456789"
HIT = {
    "title": "Gears  Ltd",
    "url": "https://gears.example/",
    "content": "They make\ngears.",
    "description": "They make gears.",
}
Spoken = Callable[[list[Any]], dict[str, Any]]
PROVIDERS: dict[str, tuple[SearchProvider, Spoken]] = {
    "brave": (Brave(KEY), lambda hits: {"type": "search", "web": {"type": "search", "results": hits}}),
    "tavily": (Tavily(KEY), lambda hits: {"query": "q", "response_time": 1.1, "results": hits}),
    "searxng": (SearXNG("http://searxng:8080/"), lambda hits: {"query": "q", "number_of_results": 0, "results": hits}),
}


class Service:
    """A fake network with one service on it."""

    def __init__(self, answer: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self._answer, self._status, self._headers = answer, status, headers

    def transport(self) -> httpx2.MockTransport:
        def answered(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            if isinstance(self._answer, Exception):
                raise self._answer
            content = self._answer if isinstance(self._answer, bytes) else json.dumps(self._answer).encode()
            return httpx2.Response(self._status, content=content, headers=self._headers)

        return httpx2.MockTransport(answered)


def failure(provider: SearchProvider, service: Service) -> SearchFailed:
    with pytest.raises(SearchFailed) as caught:
        provider.search("gears", transport=service.transport())
    assert KEY not in str(caught.value)
    # The original would hold the request, and that one holds the key.
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("name", PROVIDERS)
def test_hits_become_results(name: str) -> None:
    provider, spoken = PROVIDERS[name]
    assert provider.search("gears", transport=Service(spoken([HIT])).transport()) == [
        Result("Gears Ltd", "https://gears.example/", "They make gears.")
    ]


@pytest.mark.parametrize("name", PROVIDERS)
def test_of_a_hostile_answer_little_is_taken(name: str) -> None:
    provider, spoken = PROVIDERS[name]
    hits = [
        *({"title": "x", "url": url} for url in ("javascript:alert(1)", "http://127.0.0.1/", "", "https://10.0.0.1/")),
        {"title": 7, "url": ["https://gears.example/"]}, "no hit", None, {"url": None},
        *({"title": "T" * 3_000, "url": f"https://gears.example/{n}", "content": "c" * 3_000, "description": "d" * 3_000}
          for n in range(50)),
        HIT | {"url": "https://gears.example/0"},
    ]  # fmt: skip
    found = provider.search("gears", transport=Service(spoken(hits)).transport())
    assert [result.url for result in found] == [f"https://gears.example/{n}" for n in range(MOST_RESULTS)]
    assert all(len(result.title) <= 200 and len(result.excerpt) <= 600 for result in found)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"null", {"results": "x", "web": {"results": "x"}}, {"web": 1}])
def test_an_answer_that_cannot_be_read_passes(name: str, answer: Any) -> None:
    provider, _ = PROVIDERS[name]
    failed = failure(provider, Service(answer))
    assert not failed.permanent
    assert "could not be read" in str(failed)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "permanent"), [(401, True), (403, True), (404, True), (429, False), (500, False), (503, False)]
)
def test_a_refusal_says_whether_it_lasts(name: str, status: int, permanent: bool) -> None:
    provider, _ = PROVIDERS[name]
    assert failure(provider, Service({"error": KEY}, status=status)).permanent is permanent


def test_tavily_has_statuses_of_its_own() -> None:
    assert failure(Tavily(KEY), Service({}, status=432)).permanent


@pytest.mark.parametrize("name", PROVIDERS)
def test_redirects_are_not_followed(name: str) -> None:
    provider, _ = PROVIDERS[name]
    service = Service(b"", status=302, headers={"Location": "https://evil.example/"})
    assert failure(provider, service).permanent
    assert len(service.requests) == 1


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("error", [httpx2.ConnectTimeout("x"), httpx2.ConnectError(KEY), httpx2.ReadError("x")])
def test_a_service_that_is_away_may_come_back(name: str, error: Exception) -> None:
    provider, _ = PROVIDERS[name]
    assert not failure(provider, Service(error)).permanent


def test_an_endless_answer_is_given_up() -> None:
    assert "too long" in str(failure(Tavily(KEY), Service(b" " * (MAX_BODY + 1))))


def test_the_key_goes_where_each_service_wants_it() -> None:
    sent = {}
    for name, (provider, spoken) in PROVIDERS.items():
        service = Service(spoken([]))
        provider.search("gears & co", transport=service.transport())
        [sent[name]] = service.requests
    brave, tavily, searxng = sent["brave"], sent["tavily"], sent["searxng"]
    assert str(brave.url).startswith("https://api.search.brave.com/res/v1/web/search?q=gears+%26+co&")
    assert brave.headers["x-subscription-token"] == KEY
    assert (tavily.method, str(tavily.url)) == ("POST", "https://api.tavily.com/search")
    assert tavily.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(tavily.content)["query"] == "gears & co"
    assert str(searxng.url).startswith("http://searxng:8080/search?q=gears+%26+co&format=json")


@pytest.mark.parametrize(("cls", "empty"), [(Brave, ""), (Tavily, ""), (SearXNG, "")])
def test_a_service_without_key_or_address_is_not_made(cls: Any, empty: str) -> None:
    with pytest.raises(ValueError, match="needs"):
        cls(empty)


def test_the_operators_choice_decides(settings: Settings) -> None:
    settings.SEARCH_PROVIDER = ""
    assert configured() is None
    settings.BRAVE_SEARCH_API_KEY = settings.TAVILY_API_KEY = KEY
    settings.SEARXNG_URL = "http://searxng:8080"
    for name, kind in (("brave", Brave), ("tavily", Tavily), ("searxng", SearXNG)):
        settings.SEARCH_PROVIDER = name
        assert isinstance(configured(), kind)
