"""Connections to checked addresses, with one deadline for everything that happens on them."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore2

from leadagent.egress.addresses import is_public
from leadagent.egress.errors import EgressFailed, EgressRefused

# Of a name with many addresses so many are tried.
_MOST_ADDRESSES = 3


@contextmanager
def connections(deadline: float) -> Iterator[httpcore2.ConnectionPool]:
    """A pool that connects to public addresses only, until `deadline` (of `time.monotonic`).

    Whatever goes wrong inside comes out as `EgressRefused` or `EgressFailed`.
    """
    backend = CheckedBackend(deadline)
    with explained(), pool_on(backend) as pool:
        yield pool


def pool_on(backend: httpcore2.NetworkBackend) -> httpcore2.ConnectionPool:
    """A pool for one exchange: nothing is kept for the next one."""
    return httpcore2.ConnectionPool(
        ssl_context=_tls_context(), network_backend=backend, max_connections=1, max_keepalive_connections=0
    )


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a connection raises into `EgressFailed`, without the address."""
    try:
        yield
    except (EgressRefused, EgressFailed):
        raise
    except (httpcore2.TimeoutException, TimeoutError):
        raise EgressFailed("it did not answer in time") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
        raise EgressFailed(f"it could not be reached ({type(error).__name__})") from None


def resolve(host: str, port: int, *, deadline: float) -> list[str]:
    """Every address that a name has. Raises `EgressFailed`.

    The system's resolver takes no deadline, so it is waited for from outside.
    """
    answers: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError):
            answers.put(None)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        addresses = answers.get(timeout=left(deadline))
    except queue.Empty:
        raise EgressFailed("it did not answer in time") from None
    if not addresses:
        raise EgressFailed("its name is not known")
    return addresses


class CheckedBackend(httpcore2.NetworkBackend):
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
        addresses = resolve(host, port, deadline=self._deadline)
        if not addresses or not all(is_public(ip_address(address.partition("%")[0])) for address in addresses):
            raise EgressRefused("The address leads into a private network.")
        return TimedStream(self._first_that_answers(addresses[:_MOST_ADDRESSES], port), self._deadline)

    def _first_that_answers(self, addresses: list[str], port: int) -> httpcore2.NetworkStream:
        for address in addresses[:-1]:
            try:
                # A part of the time only: the next address wants some of it.
                return self._inner.connect_tcp(address, port, timeout=left(self._deadline) / 3)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return self._inner.connect_tcp(addresses[-1], port, timeout=left(self._deadline))


class TimedStream(httpcore2.NetworkStream):
    """Each step may take what is left of the whole exchange: an answer that drips in ends too."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, left(self._deadline))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, left(self._deadline))
        return TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def left(deadline: float) -> float:
    """Seconds until `deadline`; raises when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore2.ReadTimeout
    return seconds


def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
