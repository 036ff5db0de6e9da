"""Pages of other people: what is never connected to, what is read of the rest, and where it ends."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest

from leadagent import egress
from tests.project import forbidden_urls
from tests.project.fake_internet import PUBLIC, Network, answer, leading_to


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(pages=[answer()]).on(monkeypatch)


def refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except (egress.EgressRefused, egress.EgressFailed):
        return True
    return False


def names_a_host(url: str) -> bool:
    """Whether a header can carry it and it leads away from the page that it stands in."""
    scheme, separator, rest = url.partition("://")
    return url.isprintable() and url.isascii() and url == url.strip() and bool(scheme and separator and rest.strip("?"))


def test_no_forbidden_address_is_ever_connected_to(
    network: Network, record_property: Callable[[str, object], None]
) -> None:
    urls = list(forbidden_urls.urls())
    passed = [url for url in urls if not refused(lambda url=url: egress.get_page(url))]  # type: ignore[misc]

    record_property("tried", len(urls))
    record_property("connected", len(network.connected))
    assert len(set(urls)) >= 200
    assert passed == []
    assert network.connected == []


@pytest.mark.parametrize("addresses", forbidden_urls.ANSWERS, ids=" ".join)
def test_one_private_address_in_a_names_answer_is_enough(network: Network, addresses: tuple[str, ...]) -> None:
    network.names["gears.example"] = [addresses]
    with pytest.raises(egress.EgressRefused, match="private network"):
        egress.get_page("https://gears.example/")
    assert network.connected == []


def test_no_redirect_leads_into_a_forbidden_place(
    network: Network, record_property: Callable[[str, object], None]
) -> None:
    # What has no host is a page of the same site when a redirect names it.
    targets = [url for url in forbidden_urls.urls() if names_a_host(url)]
    passed = []
    for url in targets:
        network.pages = [leading_to(url), answer()]
        if not refused(lambda: egress.get_page("https://gears.example/")):
            passed.append(url)

    record_property("tried", len(targets))
    assert len(targets) >= 200
    assert passed == []
    assert {host for host, _ in network.connected} == {PUBLIC}
    assert len(network.connected) == len(targets)


def test_a_name_that_changes_its_mind_is_asked_once_per_connection(network: Network) -> None:
    network.names["gears.example"] = [(PUBLIC,), ("127.0.0.1",)]
    page = egress.get_page("http://gears.example/")
    assert (page.body, network.connected, network.asked) == (b"<p>Hi</p>", [(PUBLIC, 80)], ["gears.example"])


def test_a_name_that_changes_its_mind_between_two_hops_is_caught(network: Network) -> None:
    network.names["gears.example"] = [(PUBLIC,), ("127.0.0.1",)]
    network.pages = [leading_to("/next"), answer()]
    with pytest.raises(egress.EgressRefused, match="private network"):
        egress.get_page("http://gears.example/")
    assert network.connected == [(PUBLIC, 80)]


def test_the_name_is_what_the_server_is_asked_for(network: Network) -> None:
    egress.get_page("https://Gears.example:443/a b".replace(" ", "%20") + "?q=ü#part")
    [head] = [sent for sent in network.sent if sent.startswith(b"GET")]
    assert head.startswith(b"GET /a%20b?q=%C3%BC HTTP/1.1\r\n")
    assert b"\r\nHost: gears.example\r\n" in head
    assert b"cookie" not in head.lower()
    assert network.connected == [(PUBLIC, 443)]


def test_three_redirects_are_followed_and_no_fourth(network: Network) -> None:
    network.pages = [leading_to("/1"), leading_to("/2"), leading_to("https://www.gears.example/3"), answer()]
    assert egress.get_page("http://gears.example/").url == "https://www.gears.example/3"
    network.pages = [leading_to("/again")]
    network.connected.clear()
    with pytest.raises(egress.EgressFailed, match="more than 3 times"):
        egress.get_page("http://gears.example/")
    assert len(network.connected) == 4


def test_redirects_stay_where_the_caller_lets_them(network: Network) -> None:
    network.pages = [leading_to("https://elsewhere.example/"), answer()]
    with pytest.raises(egress.EgressRefused, match=r"elsewhere\.example"):
        egress.get_page("http://gears.example/", may_follow=lambda host: host == "gears.example")
    assert len(network.connected) == 1


@pytest.mark.parametrize(
    "content_type", ["image/png", "application/pdf", "application/octet-stream", "video/mp4", "", "application/zip"]
)
def test_only_text_is_read(network: Network, content_type: str) -> None:
    network.pages = [answer(content_type=content_type)]
    with pytest.raises(egress.EgressRefused, match="no text"):
        egress.get_page("http://gears.example/")


def test_of_a_long_page_two_megabytes_are_read(network: Network) -> None:
    network.pages = [answer(b"x" * 5_000_000)]
    page = egress.get_page("http://gears.example/")
    assert (len(page.body), page.is_cut) == (2 * 1024 * 1024, True)


def test_a_page_that_unpacks_to_a_thousandfold_is_cut(network: Network) -> None:
    network.pages = [answer(gzip.compress(b"\0" * 200_000_000), content_encoding="gzip")]
    page = egress.get_page("http://gears.example/")
    assert (len(page.body), page.is_cut) == (2 * 1024 * 1024, True)


def test_packed_text_is_unpacked_and_broken_packing_is_told(network: Network) -> None:
    network.pages = [
        answer(gzip.compress("Grüße".encode()), content_encoding="gzip", content_type="text/plain; charset=UTF-8")
    ]
    page = egress.get_page("http://gears.example/")
    assert (page.body.decode(page.charset), page.content_type) == ("Grüße", "text/plain")
    for encoding in ("gzip", "br"):
        network.pages = [answer(b"no gzip", content_encoding=encoding)]
        with pytest.raises(egress.EgressFailed):
            egress.get_page("http://gears.example/")


def test_all_redirects_share_one_deadline(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every look at the clock costs a second and a half: three hops would take longer than ten seconds.
    now = [0.0]

    def clock() -> float:
        now[0] += 1.5
        return now[0]

    monkeypatch.setattr("leadagent.egress.connection.time.monotonic", clock)
    network.pages = [leading_to("/again")]
    with pytest.raises(egress.EgressFailed, match="in time"):
        egress.get_page("http://gears.example/")


def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> list[Any]:
        time.sleep(2)
        return []

    monkeypatch.setattr("leadagent.egress.pages.DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr("leadagent.egress.connection.socket.getaddrinfo", never)
    began = time.monotonic()
    with pytest.raises(egress.EgressFailed, match="in time"):
        egress.get_page("http://gears.example/")
    assert time.monotonic() - began < 1


def test_a_stand_in_is_asked_on_this_machine_only(network: Network) -> None:
    page = egress.get_page("https://gears.example/about?x=1", stand_in="http://127.0.0.1:8000/pages")
    assert (page.url, network.connected, network.asked) == (
        "https://gears.example/about?x=1", [("127.0.0.1", 8000)], [],
    )  # fmt: skip
    assert b"GET /pages/gears.example/about?x=1 HTTP/1.1" in b"".join(network.sent)
    with pytest.raises(egress.EgressRefused, match="this machine"):
        egress.get_page("https://gears.example/", stand_in="http://10.0.0.1/pages")
    # The rules for addresses are the same.
    with pytest.raises(egress.EgressRefused):
        egress.get_page("http://169.254.169.254/", stand_in="http://127.0.0.1:8000/pages")
    assert len(network.connected) == 1
