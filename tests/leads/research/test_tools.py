"""The tools of the agent: what they read, what they say where they cannot, and what becomes a source."""

import json

import pytest
from pytest_django import Settings

from leadagent.leads.models import LeadNote, WorkflowRun
from leadagent.leads.research import research
from leadagent.leads.research.crm import crm_search
from leadagent.leads.research.links import Links
from leadagent.leads.research.search import Result, SearchFailed
from leadagent.leads.research.sources import Sources
from leadagent.leads.research.tech_stack import tech_stack_analysis
from leadagent.leads.research.web_pages import TEXT_LIMIT, fetch_url
from leadagent.leads.research.web_search import web_search
from leadagent.tenants.models import Organization
from tests.leads.conftest import FakeProvider
from tests.leads.factories import LeadFactory
from tests.leads.research.conftest import scripted
from tests.project.fake_internet import Network, answer, leading_to


class FakeSearch:
    label = "Fake"

    def __init__(self, *results: Result, error: SearchFailed | None = None) -> None:
        self.results, self.error, self.queries = list(results), error, list[str]()

    def search(self, query: str) -> list[Result]:
        self.queries.append(query)
        if self.error is not None:
            raise self.error
        return self.results


NEWS = Result("Gears in the news", "https://news.example/gears", "They doubled.")


def test_a_page_is_read_for_its_text_and_title_and_links(internet: Network) -> None:
    sources, links = Sources(), Links("gears.example")
    found = json.loads(fetch_url("https://gears.example/", sources, links))
    assert found["title"] == "Gears Ltd"
    assert "eighty people" in found["text"]
    assert "Offer" not in found["text"]
    assert (found["source"], found["url"], found["is_cut"]) == (1, "https://gears.example/", False)
    # What the page leads to may be opened now.
    assert links.check("https://gears.example/offer?id=7")


def test_the_source_is_where_the_redirects_ended(internet: Network) -> None:
    internet.pages = [
        leading_to("https://www.gears.example/home"),
        answer(b"<p>Text enough to be read by a person.</p>"),
    ]
    sources = Sources()
    fetch_url("http://gears.example/", sources, Links("gears.example"))
    assert [source.url for source in sources.all()] == ["https://www.gears.example/home"]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (answer(status=404), "status 404"), (answer(content_type="image/png"), "no text"),
        (answer(b"<html></html>"), "no readable text"), (answer(b""), "no readable text"),
        (leading_to("https://evil.example/"), "another site"), (leading_to("http://127.0.0.1/"), "private network"),
        (b"nonsense", "could not be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_and_is_no_source(internet: Network, page: bytes, says: str) -> None:
    internet.pages = [page]
    sources = Sources()
    assert says in fetch_url("https://gears.example/", sources, Links("gears.example"))
    assert sources.all() == []


def test_a_long_page_is_cut(internet: Network) -> None:
    internet.pages = [answer(b"word " * 20_000, content_type="text/plain")]
    found = json.loads(fetch_url("https://gears.example/", Sources(), Links("gears.example")))
    assert (len(found["text"]) <= TEXT_LIMIT, found["is_cut"]) == (True, True)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\x00<",
        b"<" * 50_000,
        b"<div>" * 20_000,
        b"<p>x\x00\x1b[31m</p>",
        b"<?xml version='1.0' encoding='x'?><p>Hi there</p>",
    ],
)
def test_broken_pages_break_nothing(internet: Network, body: bytes) -> None:
    internet.pages = [answer(body, content_type="text/html; charset=no-such")]
    found = fetch_url("https://gears.example/", Sources(), Links("gears.example"))
    assert found
    assert "\x00" not in found


def test_the_technology_is_told_as_typed_facts(internet: Network) -> None:
    sources = Sources()
    found = json.loads(tech_stack_analysis(sources, Links("gears.example")))
    assert {(fact["category"], fact["product"], fact["seen_in"]) for fact in found["facts"]} == {
        ("Generator", "Hugo 0.150", "the page's generator tag"),
        ("Payments", "Stripe", "the home page"),
        ("Server", "nginx", "the header server"),
        ("Framework", "PHP", "a cookie"),
        ("Email", "Google Workspace", "MX records"),
    }
    assert [(source.kind, source.url) for source in sources.all()] == [("tech", "https://gears.example/")]


def test_a_domain_inside_a_private_network_is_not_looked_at(internet: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(domain: str) -> dict[str, list[str]]:
        raise AssertionError("its DNS was asked")

    monkeypatch.setattr("leadagent.leads.research.tech_stack.dns_records", asked)
    internet.names["gears.example"] = [("10.0.0.1",)]
    assert "private network" in tech_stack_analysis(Sources(), Links("gears.example"))
    assert internet.connected == []


def test_a_search_makes_its_results_readable(internet: Network) -> None:
    sources, links, service = Sources(), Links(None), FakeSearch(NEWS)
    [found] = json.loads(web_search(service, "  gears \n ltd ", sources, links))  # type: ignore[arg-type]
    assert (found["source"], found["title"], found["excerpt"]) == (1, "Gears in the news", "They doubled.")
    assert service.queries == ["gears ltd"]
    page = json.loads(fetch_url("https://news.example/gears", sources, links))
    assert page["source"] == 1
    assert sources.all()[0].kind == "page"


@pytest.mark.parametrize(("permanent", "says"), [(True, "Do not search again"), (False, "may work later")])
def test_a_search_that_fails_says_whether_to_try_again(permanent: bool, says: str) -> None:
    service = FakeSearch(error=SearchFailed("it refused the key.", permanent=permanent))
    assert says in web_search(service, "gears", Sources(), Links(None))  # type: ignore[arg-type]


@pytest.mark.django_db
def test_tools_are_offered_where_they_can_work(
    run: WorkflowRun, provider: FakeProvider, settings: Settings, internet: Network
) -> None:
    provider.research = scripted("Nothing found [1] [9].")
    settings.SEARCH_PROVIDER = ""
    report = research(run.lead, run=run)
    assert report.gaps == ("The web was not searched: no search service is set up here.",)
    assert (report.text, report.cited, report.dropped_citations) == ("Nothing found [1].", (1,), 1)
    settings.SEARCH_PROVIDER, settings.SEARXNG_URL = "searxng", "http://127.0.0.1:1"
    assert research(run.lead, run=run).gaps == ()
    run.lead.email = "ann@gmail.com"
    research(run.lead, run=run)
    assert provider.offered_tools == [
        ["crm_search", "fetch_url", "tech_stack_analysis"],
        ["crm_search", "fetch_url", "search", "tech_stack_analysis"],
        ["crm_search", "fetch_url", "search"],
    ]


@pytest.mark.django_db
def test_a_report_comes_with_what_was_read(run: WorkflowRun, provider: FakeProvider, internet: Network) -> None:
    provider.research = scripted(
        [("fetch_url", {"url": "https://gears.example/about"}), ("tech_stack_analysis", {})], "They make gears [2]."
    )
    report = research(run.lead, run=run)
    assert report.cited == (2,)
    assert sorted((source["kind"], source["url"]) for source in report.sources) == [
        ("lead", ""), ("page", "https://gears.example/about"), ("tech", "https://gears.example/"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_the_crm_tells_what_colleagues_have_noted(run: WorkflowRun, organization: Organization) -> None:
    other = LeadFactory(organization=organization, company="Gears Ltd")
    for number in range(5):
        LeadNote.objects.create(organization=organization, lead=other, text=f"Note {number}")
    foreign = LeadFactory(company="Gears Ltd")
    LeadNote.objects.create(organization=foreign.organization, lead=foreign, text="Foreign note")

    [found] = json.loads(crm_search(organization, run.lead, "gears ltd", Sources()))
    assert found["notes"] == ["Note 4", "Note 3", "Note 2"]


@pytest.mark.django_db
@pytest.mark.parametrize(("stored", "asked"), [("Müller Söhne", "muller sohne"), ("Muller Sohne", "MÜLLER SÖHNE")])
def test_the_crm_takes_no_notice_of_accents(
    run: WorkflowRun, organization: Organization, stored: str, asked: str
) -> None:
    LeadFactory(organization=organization, company=stored)
    LeadFactory(organization=organization, company="Möller Söhne")
    LeadFactory(company=stored)

    [found] = json.loads(crm_search(organization, run.lead, asked, Sources()))
    assert found["company"] == stored
