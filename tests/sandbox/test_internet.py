"""The sandbox's little internet, read by the product's own code over HTTP."""

import json

import httpx2
import pytest
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from leadagent.leads.research.dns_records import dns_records
from leadagent.leads.research.links import Links
from leadagent.leads.research.search.searxng import SearXNG
from leadagent.leads.research.sources import Sources
from leadagent.leads.research.tech_stack import tech_stack_analysis
from leadagent.leads.research.web_pages import fetch_url


@pytest.fixture
def address(live_server: LiveServer, settings: Settings) -> str:
    settings.SANDBOX_INTERNET_URL = f"{live_server.url}/sandbox/internet"
    return f"{live_server.url}/sandbox"


def test_a_search_finds_a_site_that_can_be_read(address: str) -> None:
    results = SearXNG(f"{address}/searxng").search("Cogworks Ltd")
    assert [result.url for result in results] == [
        "https://cogworks.example/", "https://cogworks.example/about", "https://register.example/companies/cogworks",
    ]  # fmt: skip
    links = Links(None)
    links.add_results(result.url for result in results)
    pages = [json.loads(fetch_url(result.url, Sources(), links)) for result in results]
    assert [page["title"] for page in pages] == ["Cogworks", "About Cogworks", "About Cogworks"]
    assert "Cogworks is a company for" in pages[0]["text"]


def test_the_technology_of_a_site_can_be_seen(address: str) -> None:
    found = json.loads(tech_stack_analysis(Sources(), Links("cogworks.example")))
    assert {"Email", "DNS"} <= {fact["category"] for fact in found["facts"]}
    assert found["home_page"] == "read"


def test_only_names_under_example_exist(address: str) -> None:
    assert "status 404" in fetch_url("https://gears.com/", Sources(), Links("gears.com"))
    assert dns_records("gears.com") == {}
    assert set(dns_records("cogworks.example")) == {"MX", "TXT", "NS"}


def test_the_search_speaks_json_only_and_to_this_machine_only(address: str) -> None:
    assert httpx2.get(f"{address}/searxng/search?q=x", trust_env=False).status_code == 403
    for path in ("searxng/search?q=x&format=json", "internet/pages/x.example/", "internet/dns/x.example/"):
        assert Client(REMOTE_ADDR="203.0.113.9").get(f"/sandbox/{path}").status_code == 404
