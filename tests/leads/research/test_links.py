"""Which pages may be opened: those that were found, never those that a model puts together."""

import pytest

from leadagent.leads.research.domains import MAIL_HOSTS, company_domain
from leadagent.leads.research.links import Links, NotFetchable

MESSAGE = "See https://gears.example/offer?id=7, www.gears.example/team/lead. And https://evil.example/x"


@pytest.fixture
def links() -> Links:
    made = Links("gears.example", message=MESSAGE)
    made.add_results(["https://news.example/gears?page=2", "http://127.0.0.1/found"])
    made.add_links(
        ["https://shop.gears.example/a", "https://elsewhere.example/b", "mailto:x@gears.example", "http://["]
    )
    return made


@pytest.mark.parametrize(
    "url",
    [
        "https://gears.example", "http://gears.example/", "https://www.gears.example/about/", "https://GEARS.example/pricing#x",
        "https://gears.example/offer?id=7", "https://gears.example/team/lead", "https://news.example/gears?page=2",
        "https://shop.gears.example/a",
    ],
)  # fmt: skip
def test_what_was_found_is_opened(links: Links, url: str) -> None:
    assert links.check(url)


@pytest.mark.parametrize(
    "url",
    [
        # Whatever a model could write into an address reaches its owner: nothing is opened that was not found.
        "https://gears.example/?leak=our-prices", "https://gears.example/about?leak=our-prices",
        "https://gears.example/leak/our-prices", "https://leak.gears.example/", "https://gears.example/offer?id=8",
        "https://news.example/", "https://news.example/gears?page=3", "https://elsewhere.example/b",
        "https://evil.example/x", "https://gears.example.evil.example/", "https://evilgears.example/",
        "http://127.0.0.1/found", "http://169.254.169.254/", "file:///etc/passwd", "gears.example", "",
    ],
)  # fmt: skip
def test_what_was_not_found_is_not_opened(links: Links, url: str) -> None:
    with pytest.raises(NotFetchable):
        links.check(url)


@pytest.mark.parametrize(
    ("start", "host", "follows"),
    [
        ("https://gears.example/", "www.gears.example", True),
        ("https://gears.example/", "shop.gears.example", True),
        ("https://gears.example/", "evil.example", False),
        ("https://gears.example/", "news.example", True),
        ("https://news.example/gears?page=2", "www.news.example", True),
        ("https://news.example/gears?page=2", "evil.example", False),
    ],
)
def test_redirects_stay_on_their_site(links: Links, start: str, host: str, follows: bool) -> None:
    assert links.may_follow(links.check(start), host) is follows


def test_without_a_domain_only_results_are_opened() -> None:
    links = Links(None, message=MESSAGE)
    links.add_links(["https://gears.example/"])
    with pytest.raises(NotFetchable):
        links.check("https://gears.example/")
    links.add_results(["https://gears.example/"])
    assert links.check("https://gears.example/").host == "gears.example"


@pytest.mark.parametrize(
    ("domain", "company"),
    [
        ("gears.example", "gears.example"), ("GEARS.example", "gears.example"), ("gmail.com", None), ("GMAIL.com", None),
        ("", None), ("localhost", None), ("corp.internal", None), ("10.0.0.1", None), ("8.8.8.8", None),
        ("[127.0.0.1]", None), ("nas.local", None), ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)  # fmt: skip
def test_whose_domain_is_a_companys(domain: str, company: str | None) -> None:
    assert company_domain(domain) == company
    assert "gmail.com" in MAIL_HOSTS
