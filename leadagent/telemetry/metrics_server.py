"""The worker's own `/metrics`: most AI calls and every task happen there, and no web server answers for it."""

import hmac
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings

from leadagent.telemetry.figures import exposition, forget_earlier_processes

logger = logging.getLogger(__name__)
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Prometheus comes from elsewhere; METRICS_TOKEN is asked for.
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # nosec B104


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name of the method it replaces
        """Prometheus asks every few seconds."""


def brings_token(header: str) -> bool:
    """Whether an Authorization header carries METRICS_TOKEN; never, while none is set."""
    expected = settings.METRICS_TOKEN
    scheme, _, given = header.partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(), expected.encode())
    return bool(expected) and scheme.lower() == "bearer" and is_right


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/metrics` for whoever brings METRICS_TOKEN, 404 for everybody and everything else."""
    if environ.get("PATH_INFO") != "/metrics" or not brings_token(environ.get("HTTP_AUTHORIZATION", "")):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b""]
    start_response("200 OK", [("Content-Type", _CONTENT_TYPE)])
    return [exposition().encode()]


def serve_metrics() -> WSGIServer | None:
    """Answer on WORKER_METRICS_PORT, on a thread of the worker's first process; None where that is 0."""
    forget_earlier_processes()
    if not settings.WORKER_METRICS_PORT:
        return None
    try:
        server = make_server(_EVERYWHERE, settings.WORKER_METRICS_PORT, application, handler_class=_Quiet)
    except OSError as error:
        # Figures are no reason for not working.
        logger.error("WORKER_METRICS_PORT %d cannot be used: %s", settings.WORKER_METRICS_PORT, error.strerror)
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
