"""Requests to addresses that other people chose: https to the public internet, and nowhere else.

The name is resolved once, every address it has must be public, and the connection goes to
the address that was checked. No redirects, no proxy of the environment, a deadline for the
whole exchange, and only as much of the answer as is asked for.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore2

DEADLINE_SECONDS = 10.0
MAX_BODY = 2_048

# `is_global` alone passes several of these: they lead to other addresses, or nowhere.
_REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "fec0::/10",
    )
)


class EgressRefused(Exception):
    """The address is not one that may be asked. The text says why."""


class EgressFailed(Exception):
    """No answer came. The text names the kind of failure, never the address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` holds the first bytes only."""

    status: int
    body: bytes


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet."""
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local:
        return False
    return not any(address in network for network in _REFUSED_NETWORKS if network.version == address.version)


def check_url(url: str) -> None:
    """Raise `EgressRefused` for what is no plain https address. Asks no name server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("This is not a web address.") from None
    if parts.scheme != "https" or not parts.hostname:
        raise EgressRefused("Only addresses that begin with https:// are used.")
    if parts.username is not None or parts.password is not None:
        raise EgressRefused("The address must not hold a user name or password.")
    if port not in {None, 443}:
        raise EgressRefused("Only the usual port (443) is used.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise EgressRefused("The address must not hold spaces or control characters.")
    try:
        literal = ip_address(parts.hostname)
    except ValueError:
        return
    if not is_public(literal):
        raise EgressRefused("The address leads into a private network.")


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST `body`; raises `EgressRefused` or `EgressFailed`. Any status is an answer."""
    check_url(url)
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        with (
            httpcore2.ConnectionPool(
                ssl_context=_tls_context(),
                network_backend=_CheckedBackend(deadline),
                max_connections=1,
                max_keepalive_connections=0,
            ) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
        ):
            return Answer(response.status, _first_bytes(response.iter_stream()))
    except EgressRefused:
        raise
    except (httpcore2.TimeoutException, TimeoutError):
        raise EgressFailed("it did not answer in time") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
        raise EgressFailed(f"it could not be reached ({type(error).__name__})") from None


def _first_bytes(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= MAX_BODY:
            break
    return bytes(body[:MAX_BODY])


def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolve(host: str, port: int) -> list[str]:
    """Every address that a name has."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise EgressFailed("its name is not known") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _CheckedBackend(httpcore2.NetworkBackend):
    """Connects to a checked address; the name stays what TLS asks the server for."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = _resolve(host, port)
        if not addresses or not all(is_public(ip_address(address.partition("%")[0])) for address in addresses):
            raise EgressRefused("The address leads into a private network.")
        left = _left(self._deadline)
        return _TimedStream(self._inner.connect_tcp(addresses[0], port, timeout=left), self._deadline)


class _TimedStream(httpcore2.NetworkStream):
    """Each step may take what is left of the whole exchange: an answer that drips in ends too."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return left
