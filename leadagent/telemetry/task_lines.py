"""One line per Celery task, and the id of the request that caused it, handed on in the message's headers.

A task that a task asks for hands it on again; what beat asks for has no request and no such id.
"""

import time
from contextlib import ExitStack
from typing import Any

import structlog
from celery.signals import (
    before_task_publish,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
)
from django.conf import settings

from leadagent.telemetry.context import current_request_id, fresh_context, request_id_from
from leadagent.telemetry.lines import configure_logging

# The header of Celery's message, and so the attribute of `task.request`.
HEADER = "x_request_id"

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)
_running: dict[str, tuple[float, ExitStack]] = {}


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Celery leaves logging alone where somebody else takes care of it."""
    from celery import current_app

    configure_logging(settings.LOGGING)
    # What is printed is scrubbed as well.
    current_app.log.redirect_stdouts("WARNING")


@worker_init.connect
def _serve_metrics(**_: Any) -> None:
    # Not before settings are there: this module comes with the package.
    from leadagent.telemetry.metrics_server import serve_metrics

    serve_metrics()


@worker_process_init.connect
def _start_tracing(**_: Any) -> None:
    # In each process that works: an exporter's thread does not survive a fork.
    from leadagent.telemetry.traces import start_tracing

    start_tracing()


@before_task_publish.connect
def _hand_on(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None and (request_id := current_request_id()):
        headers[HEADER] = request_id


@task_prerun.connect
def _begin(task_id: str, task: Any, **_: Any) -> None:
    ids = {"task_id": task_id}
    if given := getattr(task.request, HEADER, None):
        ids["request_id"] = request_id_from(str(given))
    inside = ExitStack()
    inside.enter_context(fresh_context(**ids))
    _running[task_id] = time.perf_counter(), inside


@task_postrun.connect
def _end(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    began, inside = _running.pop(task_id, (time.perf_counter(), ExitStack()))
    from leadagent.telemetry.figures import count_task

    seconds = time.perf_counter() - began
    with inside:
        say = logger.warning if state == "FAILURE" else logger.info
        say("task", task=task.name, state=state or "UNKNOWN", ms=round(seconds * 1000))
    count_task(task=task.name, state=state or "UNKNOWN", seconds=seconds)
