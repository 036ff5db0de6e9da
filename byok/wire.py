"""The transport under every SDK client: the only place where a key meets a request.

SDK objects hold a placeholder. Here the key is opened and put on a copy of the request,
and the exchange is metered: one exchange, one usage event, whichever library made the
call. What must not be sent (wrong host, no key, no quota; see `byok.calls.gate`) is answered
with a synthetic refusal, because SDKs wrap and retry exceptions that are raised inside
a transport.

Nothing that leaves this module holds the key: failures are raised anew without the
frames and requests they came from, error bodies are searched for it, and cookies are
refused, since the connection pool is shared between tenants.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar, cast

import httpx2

from byok.calls.gate import Gate
from byok.calls.metering import CallContext, Exchange
from byok.keys.sources import KeySource
from byok.providers import REGISTRY
from usage.recording.events import CallFinished

logger = logging.getLogger(__name__)

# An error's text is read whole before anybody else sees it, up to this size.
MAX_ERROR_BODY = 256 * 1024

_LIMITS = httpx2.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=30)

# The placeholder's headers, what another body length made false, and empty account headers.
_NEVER_FORWARDED = (
    "authorization",
    "x-api-key",
    "cookie",
    "content-length",
    "transfer-encoding",
    "openai-organization",
    "openai-project",
)

# What a provider may tell us in headers. Everything else (cookies above all) stays out.
_KEPT_HEADERS = {
    "content-type",
    "retry-after",
    "retry-after-ms",
    "request-id",
    "x-request-id",
    "x-generation-id",
    "date",
}
_KEPT_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "openai-processing-ms")


# --- The shared pools ---------------------------------------------------------------

_lock = threading.Lock()
_sync_pool: httpx2.BaseTransport | None = None
# Async connections belong to the loop that opened them.
_async_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncBaseTransport] = (
    weakref.WeakKeyDictionary()
)


def shared_pool() -> httpx2.BaseTransport:
    """This process's connections, made at first use and so after the worker has forked."""
    global _sync_pool
    if _sync_pool is None:
        with _lock:
            if _sync_pool is None:
                _sync_pool = httpx2.HTTPTransport(limits=_LIMITS)
    return _sync_pool


def shared_async_pool() -> httpx2.AsyncBaseTransport:
    """The running event loop's connections."""
    loop = asyncio.get_running_loop()
    pool = _async_pools.get(loop)
    if pool is None:
        pool = _async_pools[loop] = httpx2.AsyncHTTPTransport(limits=_LIMITS)
    return pool


# --- Clients ------------------------------------------------------------------------


def sync_http_client(context: CallContext, key: KeySource) -> httpx2.Client:
    """An HTTP client for one tenant's calls: cheap to make, over the shared pool."""
    return httpx2.Client(
        transport=MeteredTransport(context, key),
        trust_env=False,
        follow_redirects=False,
    )


def async_http_client(context: CallContext, key: KeySource) -> httpx2.AsyncClient:
    """As `sync_http_client`, for an event loop."""
    return httpx2.AsyncClient(
        transport=AsyncMeteredTransport(context, key),
        trust_env=False,
        follow_redirects=False,
    )


class MeteredTransport(httpx2.BaseTransport):
    """Sync half. The pool outlives every client: closing one closes nothing."""

    def __init__(self, context: CallContext, key: KeySource) -> None:
        self._context = context
        self._key = key

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        gate = Gate(self._context, self._key)
        exchange = Exchange(self._context, path=request.url.path, body=request.read())
        if refusal := gate.admit(request.url, exchange):
            return refusal
        outcome = _send(request, self._context, self._key, exchange)
        if isinstance(outcome, _Failure):
            gate.settle(outcome.event(exchange), unbilled=outcome.nothing_sent)
            outcome.raise_clean()
        gate.note_name(exchange)
        return httpx2.Response(
            outcome.status,
            headers=outcome.headers,
            stream=_MeteredStream(outcome.stream, exchange, gate),
        )


class AsyncMeteredTransport(httpx2.AsyncBaseTransport):
    """Async half: what touches the database runs in a thread, the event loop goes on."""

    def __init__(self, context: CallContext, key: KeySource) -> None:
        self._context = context
        self._key = key

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        gate = Gate(self._context, self._key)
        exchange = Exchange(self._context, path=request.url.path, body=await request.aread())
        if refusal := await gate.admit_async(request.url, exchange):
            return refusal
        outcome = await _send_async(request, self._context, self._key, exchange)
        if isinstance(outcome, _Failure):
            await gate.settle_async(outcome.event(exchange), unbilled=outcome.nothing_sent)
            outcome.raise_clean()
        return httpx2.Response(
            outcome.status,
            headers=outcome.headers,
            stream=_AsyncMeteredStream(outcome.stream, exchange, gate),
        )


# --- Sending ------------------------------------------------------------------------


Stream = TypeVar("Stream")


@dataclass(frozen=True, slots=True)
class _Answer(Generic[Stream]):
    status: int
    headers: httpx2.Headers
    stream: Stream


@dataclass(frozen=True, slots=True)
class _Failure:
    """An exception of the transport as plain facts: the exception itself holds frames, and they hold the key."""

    kind: type[BaseException]

    @classmethod
    def of(cls, exc: BaseException) -> _Failure:
        if isinstance(exc, httpx2.RequestError | asyncio.CancelledError):
            return cls(type(exc))
        # Its message may quote a header: the kind is all that is told.
        logger.error("the transport failed with %s", type(exc).__name__)
        # Nobody knows how far it came: what may have been billed is not taken for unsent.
        return cls(httpx2.ReadError)

    @property
    def nothing_sent(self) -> bool:
        return issubclass(
            self.kind,
            httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.LocalProtocolError,
        )

    @property
    def code(self) -> str:
        if issubclass(self.kind, asyncio.CancelledError):
            return "cancelled"
        return "timeout" if issubclass(self.kind, httpx2.TimeoutException) else "unreachable"

    def event(self, exchange: Exchange) -> CallFinished:
        return exchange.unsent(self.code) if self.nothing_sent else exchange.lost(self.code)

    def raise_clean(self) -> NoReturn:
        raise self.kind(f"The provider gave no answer ({self.kind.__name__}).")


def _send(
    request: httpx2.Request, context: CallContext, key: KeySource, exchange: Exchange
) -> _Answer[httpx2.SyncByteStream] | _Failure:
    """Send a copy of the request with the key on it. The key lives in this frame only."""
    try:
        secret = key.open()
        response = shared_pool().handle_request(_wire_copy(request, context, secret, exchange.body))
        headers = _kept_headers(response.headers, secret)
        exchange.answered(response.status_code, headers)
        if not exchange.was_refused and isinstance(response.stream, httpx2.SyncByteStream):
            return _Answer(response.status_code, headers, response.stream)
        try:
            body = _read_bounded(response)
        finally:
            response.close()
        return _Answer(response.status_code, headers, httpx2.ByteStream(_without_key(body, secret)))
    except Exception as exc:
        return _Failure.of(exc)


async def _send_async(
    request: httpx2.Request, context: CallContext, key: KeySource, exchange: Exchange
) -> _Answer[httpx2.AsyncByteStream] | _Failure:
    """As `_send`, for an event loop."""
    try:
        secret = key.open()
        wire_request = _wire_copy(request, context, secret, exchange.body)
        response = await shared_async_pool().handle_async_request(wire_request)
        headers = _kept_headers(response.headers, secret)
        exchange.answered(response.status_code, headers)
        if not exchange.was_refused and isinstance(response.stream, httpx2.AsyncByteStream):
            return _Answer(response.status_code, headers, response.stream)
        try:
            body = await _read_bounded_async(response)
        finally:
            await response.aclose()
        return _Answer(response.status_code, headers, httpx2.ByteStream(_without_key(body, secret)))
    except (Exception, asyncio.CancelledError) as exc:
        return _Failure.of(exc)


def _wire_copy(request: httpx2.Request, context: CallContext, secret: str, body: bytes) -> httpx2.Request:
    headers = request.headers.copy()
    for name in _NEVER_FORWARDED:
        headers.pop(name, None)
    headers.update(REGISTRY[context.provider].auth_headers(secret))
    # We read the answer on its way through; compressed, a stream would also arrive in lumps.
    headers["accept-encoding"] = "identity"
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=body or None,
        extensions=dict(request.extensions),
    )


def _kept_headers(headers: httpx2.Headers, secret: str) -> httpx2.Headers:
    kept = {
        name.lower(): value.replace(secret, "[key removed]")
        for name, value in headers.items()
        if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIXES)
    }
    # A value may be any bytes; left to itself, httpx2 writes ASCII only.
    return httpx2.Headers(kept, encoding="utf-8")


def _without_key(body: bytes, secret: str) -> bytes:
    return body.replace(secret.encode(), b"[key removed]")


def _read_bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in cast("httpx2.SyncByteStream", response.stream):
        body += chunk
        if len(body) > MAX_ERROR_BODY:
            break
    return bytes(body[:MAX_ERROR_BODY])


async def _read_bounded_async(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in cast("httpx2.AsyncByteStream", response.stream):
        body += chunk
        if len(body) > MAX_ERROR_BODY:
            break
    return bytes(body[:MAX_ERROR_BODY])


# --- Receiving ----------------------------------------------------------------------


class _MeteredStream(httpx2.SyncByteStream):
    """Passes the answer on untouched; settles at its end or at `close`, whichever comes first."""

    def __init__(self, inner: httpx2.SyncByteStream, exchange: Exchange, gate: Gate) -> None:
        self._inner: httpx2.SyncByteStream | None = inner
        self._exchange = exchange
        self._gate = gate

    def __iter__(self) -> Iterator[bytes]:
        if self._inner is None:
            return
        failure: _Failure | None = None
        try:
            for chunk in self._inner:
                self._exchange.feed(chunk)
                self._gate.note_name(self._exchange)
                yield chunk
        except Exception as exc:
            failure = _Failure.of(exc)
        if failure is not None:
            self._settle(self._exchange.lost(failure.code))
            failure.raise_clean()
        self._settle(self._exchange.complete())

    def close(self) -> None:
        if self._inner is not None:
            self._settle(self._exchange.complete())

    def _settle(self, event: CallFinished) -> None:
        # Dropped at once: the connection's bookkeeping still knows the request that it carried.
        inner, self._inner = self._inner, None
        if inner is None:
            return
        try:
            self._gate.settle(event, unbilled=self._exchange.was_refused)
        finally:
            inner.close()


class _AsyncMeteredStream(httpx2.AsyncByteStream):
    """As `_MeteredStream`, for an event loop."""

    def __init__(self, inner: httpx2.AsyncByteStream, exchange: Exchange, gate: Gate) -> None:
        self._inner: httpx2.AsyncByteStream | None = inner
        self._exchange = exchange
        self._gate = gate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._inner is None:
            return
        failure: _Failure | None = None
        try:
            async for chunk in self._inner:
                self._exchange.feed(chunk)
                await self._gate.note_name_async(self._exchange)
                yield chunk
        except (Exception, asyncio.CancelledError) as exc:
            failure = _Failure.of(exc)
        if failure is not None:
            await self._settle(self._exchange.lost(failure.code))
            failure.raise_clean()
        await self._settle(self._exchange.complete())

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._settle(self._exchange.complete())

    async def _settle(self, event: CallFinished) -> None:
        inner, self._inner = self._inner, None
        if inner is None:
            return
        try:
            await self._gate.settle_async(event, unbilled=self._exchange.was_refused)
        finally:
            await inner.aclose()
