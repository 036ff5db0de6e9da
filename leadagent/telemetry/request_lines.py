"""One line per request, and an id that every line about it and its answer carry.

The outermost middleware, so that refusals of every other one have their line too.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import connection
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from leadagent.telemetry.context import fresh_context, request_id_from
from leadagent.telemetry.figures import count_request
from leadagent.telemetry.routes import route_of

HEADER = "X-Request-ID"
# Asked every few seconds by machines.
_PROBES = frozenset({"healthz", "readyz", "metrics"})

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class RequestLines:
    """Names the request, answers with that name, and tells how it went."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_from(request.headers.get(HEADER, ""))
        with fresh_context(request_id=request_id):
            trail = _Trail(request)
            with connection.execute_wrapper(trail.count_query):
                response = self._get_response(request)
            # The sandbox answers as a provider does: with an id of its own.
            response.headers.setdefault(HEADER, request_id)
            if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
                body = cast("Iterator[bytes]", response.streaming_content)
                response.streaming_content = trail.follow(body, response, structlog.contextvars.get_contextvars())
            else:
                trail.end(response)
        return response


class _Trail:
    """One request from its arrival to its last byte (a file's: to its first)."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._began = time.perf_counter()
        self._queries = 0

    def count_query(self, execute: Callable[..., Any], *args: Any) -> Any:
        self._queries += 1
        return execute(*args)

    def follow(self, body: Iterator[bytes], response: HttpResponseBase, ids: dict[str, Any]) -> Iterator[bytes]:
        """The body as it is. The server takes it after the middleware has ended, on the same thread."""
        how = "cut"
        with fresh_context(**ids):
            try:
                yield from body
                how = "whole"
            finally:
                self.end(response, stream=how)

    def end(self, response: HttpResponseBase, **more: str) -> None:
        seconds = time.perf_counter() - self._began
        method = self._request.method if self._request.method in _METHODS else "other"
        route, status = self._route(), response.status_code
        say = logger.debug if route in _PROBES or route == "static" else logger.info
        if status >= 500:
            say = logger.warning
        told = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000)}
        say("request", **told, queries=self._queries, **more)
        count_request(method=str(method), route=route, status=status, seconds=seconds)
        # Django would tell it a second time, without its id.
        response._has_been_logged = True  # type: ignore[attr-defined]  # django.utils.log looks for it

    def _route(self) -> str:
        return "static" if self._request.path.startswith(settings.STATIC_URL) else route_of(self._request)


# Anybody may send any word as a method.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
