"""Addresses that other people chose: what is asked, what is refused, and that what was checked is what is asked."""

import ssl
from ipaddress import ip_address
from typing import Any

import httpcore2
import pytest

from leadagent import egress

REFUSED = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.88.99.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "2002:808:808::1", "2001::1", "2001:db8::1",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_off_the_public_internet(address: str) -> None:
    assert not egress.is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert egress.is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https:///x", "https://user:pw@example.com/", "https://example.com:8443/", "ftp://x",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:8.8.8.8]/", "https://example.com:port/", "",
        "https://example.com/\r\nX: y", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_plain_https_address_is_refused(url: str) -> None:
    with pytest.raises(egress.EgressRefused):
        egress.check_url(url)


class Server:
    """A fake network: `addresses` are what the name has, `sent` is what arrived and where."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str, answer: bytes) -> None:
        self.connected: list[str] = []
        self.hostnames: list[str | None] = []
        self.lookups = 0
        self.addresses = list(addresses)
        server = self

        class Stream(httpcore2.MockStream):
            def start_tls(
                self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
            ) -> httpcore2.NetworkStream:
                server.hostnames.append(server_hostname)
                assert ssl_context.check_hostname
                return self

        class Backend:
            def connect_tcp(self, host: str, port: int, timeout: float) -> httpcore2.NetworkStream:
                server.connected.append(host)
                return Stream([answer])

        def resolve(host: str, port: int, *, deadline: float) -> list[str]:
            self.lookups += 1
            return self.addresses

        monkeypatch.setattr("leadagent.egress.connection.httpcore2.SyncBackend", Backend)
        monkeypatch.setattr("leadagent.egress.connection.resolve", resolve)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_the_checked_address_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, "93.184.216.34", answer=OK)
    assert egress.post("https://hooks.example.com/x", b"{}", {}) == egress.Answer(200, b"ok")
    assert (server.connected, server.hostnames, server.lookups) == (["93.184.216.34"], ["hooks.example.com"], 1)


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, "93.184.216.34", "10.0.0.1", answer=OK)
    with pytest.raises(egress.EgressRefused, match="private network"):
        egress.post("https://hooks.example.com/x", b"{}", {})
    assert server.connected == []


def test_a_redirect_is_an_answer_and_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    server = Server(monkeypatch, "93.184.216.34", answer=moved)
    assert egress.post("https://hooks.example.com/x", b"{}", {}).status == 302
    assert len(server.connected) == 1


def test_of_a_long_answer_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch, "93.184.216.34", answer=b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000)
    assert len(egress.post("https://hooks.example.com/x", b"{}", {}).body) == egress.MAX_BODY


def test_the_deadline_is_for_the_whole_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch, "93.184.216.34", answer=OK)
    times = iter([0.0, 1.0, *[11.0] * 20])
    monkeypatch.setattr("leadagent.egress.connection.time.monotonic", lambda: next(times))
    with pytest.raises(egress.EgressFailed, match="in time"):
        egress.post("https://hooks.example.com/x", b"{}", {})


def test_an_unknown_name_is_told_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise OSError("gaierror: hooks.example.com")

    monkeypatch.setattr("leadagent.egress.connection.socket.getaddrinfo", unknown)
    with pytest.raises(egress.EgressFailed) as failed:
        egress.post("https://hooks.example.com/secret", b"{}", {})
    assert "example" not in str(failed.value)
