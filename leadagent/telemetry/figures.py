"""Counters and times of this process for Prometheus, summed over all processes of the machine by their files.

Labels are names out of our own code: routes, methods, providers, operations, error codes, tasks. No organisation, no
model (people type their names) and no address ever becomes one, so their number is bounded.
https://prometheus.github.io/client_python/multiprocess/
"""

import os
from pathlib import Path
from typing import Any

from django.conf import settings

if settings.METRICS_DIR:
    Path(settings.METRICS_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Read once, by the import below.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = settings.METRICS_DIR

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# Seconds. Pages take milliseconds, models tens of seconds.
_PAGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CALLS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)
_TASKS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300)

_REGISTRY = CollectorRegistry()
_REQUESTS = Counter(
    "leadagent_http_requests", "HTTP requests by route.", ("method", "route", "status"), registry=_REGISTRY
)
_REQUEST_SECONDS = Histogram(
    "leadagent_http_request_seconds", "Time of HTTP requests.", ("method", "route"), registry=_REGISTRY, buckets=_PAGES
)
_PROVIDER_CALLS = Counter(
    "leadagent_provider_calls",
    "Exchanges with AI providers by how they ended: ok, or the error's code.",
    ("provider", "operation", "outcome"),
    registry=_REGISTRY,
)
_PROVIDER_SECONDS = Histogram(
    "leadagent_provider_call_seconds",
    "Time of exchanges with AI providers, to the end of the answer.",
    ("provider", "operation"),
    registry=_REGISTRY,
    buckets=_CALLS,
)
_TOKENS = Counter("leadagent_provider_tokens", "Tokens by kind.", ("provider", "operation", "kind"), registry=_REGISTRY)
_REFUSALS = Counter(
    "leadagent_provider_refusals",
    "Calls that were never sent, by the reason's code.",
    ("provider", "operation", "reason"),
    registry=_REGISTRY,
)
_FALLBACKS = Counter(
    "leadagent_fallbacks",
    "Times that something stood in for an organisation's first model: another own model, or the platform's AI.",
    ("operation", "to", "reason"),
    registry=_REGISTRY,
)
_TASKS_DONE = Counter("leadagent_tasks", "Celery tasks by how they ended.", ("task", "state"), registry=_REGISTRY)
_TASK_SECONDS = Histogram(
    "leadagent_task_seconds", "Time of Celery tasks.", ("task",), registry=_REGISTRY, buckets=_TASKS
)


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """A request was answered; of streams, to their end."""
    _REQUESTS.labels(method, route, str(status)).inc()
    _REQUEST_SECONDS.labels(method, route).observe(seconds)


def count_call(*, provider: str, operation: str, outcome: str, seconds: float, tokens: dict[str, int]) -> None:
    """An exchange with a provider is over. `outcome` is "ok" or the error's code."""
    _PROVIDER_CALLS.labels(provider, operation, outcome).inc()
    _PROVIDER_SECONDS.labels(provider, operation).observe(seconds)
    for kind, number in tokens.items():
        if number > 0:
            _TOKENS.labels(provider, operation, kind).inc(number)


def count_refusal(*, provider: str, operation: str, reason: str) -> None:
    """A call was not sent at all."""
    _REFUSALS.labels(provider, operation, reason).inc()


def count_fallback(*, operation: str, to: str, reason: str) -> None:
    """Something stands in: `to` is "own_model" or "platform", `reason` the code of the first one's error."""
    _FALLBACKS.labels(operation, to, reason).inc()


def count_task(*, task: str, state: str, seconds: float) -> None:
    """A Celery task has ended."""
    _TASKS_DONE.labels(task, state).inc()
    _TASK_SECONDS.labels(task).observe(seconds)


def exposition() -> str:
    """All of them in Prometheus's text format: of every process that has shared the directory, or of this one."""
    if not settings.METRICS_DIR:
        return generate_latest(_REGISTRY).decode()
    of_all = CollectorRegistry()
    collector: Any = MultiProcessCollector
    collector(of_all, path=settings.METRICS_DIR)
    return generate_latest(of_all).decode()


def forget_earlier_processes() -> None:
    """At the start: drop the files of processes that an earlier start has left. Counters begin at zero then, as
    Prometheus expects; those of workers that end while this start lasts stay in the sums.
    """
    if not settings.METRICS_DIR:
        return
    for file in Path(settings.METRICS_DIR).glob("*_*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdigit() and not Path("/proc", number).exists():
            file.unlink(missing_ok=True)
