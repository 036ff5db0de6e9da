"""What gunicorn is told in Python (`--config python:leadagent.web_server`); numbers stand on its command line.

It runs in gunicorn's first process, too, which forks the workers: settings that are wrong end it
with their sentence before any worker starts.
"""

import signal
import time
from functools import partial
from queue import Empty
from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from leadagent import stopping
from leadagent.telemetry.lines import configure_logging
from leadagent.telemetry.traces import start_tracing


class Lines(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's own lines through our formatter. Requests have a line of ours, so there is no access log."""

    def setup(self, cfg: Any) -> None:
        """Called at the start and whenever gunicorn reads its configuration again."""
        super().setup(cfg)
        configure_logging(settings.LOGGING)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def on_starting(arbiter: Any) -> None:
    """Before the first worker is forked."""
    # Reads settings first, which tell prometheus_client where to put its files.
    from leadagent.telemetry.figures import forget_earlier_processes

    forget_earlier_processes()


def when_ready(arbiter: Any) -> None:
    """The first process listens: from here on SIGTERM means `_drain` first."""
    arbiter.handle_term = partial(_drain, arbiter, arbiter.handle_term)


def post_worker_init(worker: Any) -> None:
    """A worker has loaded the application."""
    stopping.ask_worker(lambda: not worker.alive)
    start_tracing()


def _drain(arbiter: Any, stop: Any) -> None:
    """Answer 503 on /readyz at once, and go on serving until load balancers have had time to see it.

    gunicorn by itself would close its sockets first: whoever was sent here meanwhile met a closed door.
    """
    stopping.note_stop()
    until = time.monotonic() + settings.WEB_DRAIN_SECONDS
    while (left := until - time.monotonic()) > 0:
        try:
            number = arbiter.SIG_QUEUE.get(timeout=left)
        except Empty:
            break
        if number in (signal.SIGINT, signal.SIGQUIT):
            # Who presses Ctrl-C does not want to wait.
            break
        if number == signal.SIGCHLD:
            arbiter.handle_chld()
    stop()


logger_class = Lines
