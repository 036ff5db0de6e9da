"""Pages of other people: one GET by http or https, a few redirects, text only, and not much of it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, urljoin

import httpcore2

from leadagent.egress.addresses import Target, read_url
from leadagent.egress.connection import TimedStream, connections, explained, left, pool_on
from leadagent.egress.errors import EgressFailed, EgressRefused

DEADLINE_SECONDS = 10.0
MAX_BYTES = 2 * 1024 * 1024
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEXT_TYPES = frozenset({"application/xhtml+xml", "application/xml", "application/json", "application/ld+json"})
_HEADERS = (
    ("User-Agent", "LeadAgent/1.0 (reads public pages about a company that wrote in)"),
    ("Accept", "text/html, application/xhtml+xml, text/plain;q=0.9, */*;q=0.1"),
    ("Accept-Language", "en, *;q=0.5"),
    ("Accept-Encoding", "gzip, identity"),
    ("Connection", "close"),
)
_ENCODINGS = {"": 0, "identity": 0, "gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read. `url` is where the redirects ended; header names are in lower case.

    `body` is decompressed and holds the first 2 MB; `is_cut` tells that there was more.
    """

    url: str
    status: int
    headers: dict[str, str]
    content_type: str
    charset: str
    body: bytes
    is_cut: bool


def get_page(url: str, *, may_follow: Callable[[str], bool] | None = None, stand_in: str = "") -> Page:
    """Read a page; raises `EgressRefused` or `EgressFailed`. A page of any status is an answer.

    `may_follow`: whether a redirect to that host is followed (any by default); every hop is checked as the first one.
    `stand_in`: the sandbox's address, which answers in place of the whole internet (demo and tests
    only: settings refuse it in production). The rules for addresses stay the same.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    target = read_url(url)
    for _ in range(MAX_REDIRECTS + 1):
        found = _get_once(target, deadline, stand_in)
        if isinstance(found, Page):
            return found
        target = _next(target, found)
        if may_follow is not None and not may_follow(target.host):
            raise EgressRefused(f"The page leads on to another site ({target.host}), which is not read.")
    raise EgressFailed(f"it leads on more than {MAX_REDIRECTS} times")


def _next(target: Target, location: str) -> Target:
    try:
        return read_url(urljoin(target.url, location))
    except ValueError:
        raise EgressRefused("The page leads on to what is no web address.") from None


def _get_once(target: Target, deadline: float, stand_in: str) -> Page | str:
    """The page, or where it leads on to."""
    if stand_in:
        url = f"{stand_in}/{quote(target.host)}{target.path}"
        with explained(), pool_on(_LoopbackBackend(deadline)) as pool:
            return _answer_of(pool, url, target)
    with connections(deadline) as pool:
        return _answer_of(pool, target.url, target)


def _answer_of(pool: httpcore2.ConnectionPool, url: str, target: Target) -> Page | str:
    with pool.stream("GET", url, headers=list(_HEADERS)) as response:
        headers = _headers_of(response)
        location = headers.get("location", "")
        if response.status in _REDIRECTS and location:
            return location
        content_type, _, rest = headers.get("content-type", "").partition(";")
        content_type = content_type.strip().lower()
        if not (content_type.startswith("text/") or content_type in _TEXT_TYPES):
            raise EgressRefused("The page is no text.")
        body, is_cut = _text_bytes(response.iter_stream(), headers.get("content-encoding", "").strip().lower())
        return Page(target.url, response.status, headers, content_type, _charset(rest), body, is_cut)


def _headers_of(response: httpcore2.Response) -> dict[str, str]:
    """Names in lower case; what comes several times is joined."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text_bytes(chunks: Iterable[bytes], encoding: str) -> tuple[bytes, bool]:
    """At most 2 MB, however small they were packed, and whether there was more."""
    if encoding not in _ENCODINGS:
        raise EgressFailed("it is packed in a way that is not read")
    window = _ENCODINGS[encoding]
    unpack = zlib.decompressobj(window) if window else None
    body = bytearray()
    try:
        for chunk in chunks:
            room = MAX_BYTES + 1 - len(body)
            body += unpack.decompress(chunk, room) if unpack else chunk[:room]
            if len(body) > MAX_BYTES:
                return bytes(body[:MAX_BYTES]), True
    except zlib.error:
        raise EgressFailed("its text could not be unpacked") from None
    return bytes(body), False


def _charset(parameters: str) -> str:
    """The character set that a content type names, or nothing."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()[:40]
    return ""


class _LoopbackBackend(httpcore2.NetworkBackend):
    """Connects to the sandbox on this machine, and to nothing else."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore2.NetworkStream:
        if host not in {"127.0.0.1", "localhost", "::1"}:
            raise EgressRefused("The sandbox is on this machine only.")
        return TimedStream(self._inner.connect_tcp(host, port, timeout=left(self._deadline)), self._deadline)
