"""Liveness and readiness for load balancers and `make run`."""

from django.http import HttpRequest, JsonResponse

from leadagent.readiness import Readiness, readiness
from usage.ledger.backlog import LATE_AFTER_SECONDS, local_backlog


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 while this process can serve requests, else 503; each part with its state (see `leadagent.readiness`).

    `usage` tells how far accounting is behind, which makes nobody unready.
    """
    found = readiness()
    word = "stopping" if found.is_stopping else "ready" if found.is_ready else "not ready"
    return JsonResponse(
        {
            "status": word,
            "database": found.database,
            "broker": found.broker,
            "migrations": found.migrations,
            "secret": found.secret,
            "usage": _usage(found),
        },
        status=200 if found.is_ready else 503,
        # A proxy that kept it would be told of yesterday.
        headers={"Cache-Control": "no-store"},
    )


def _usage(found: Readiness) -> dict[str, str | int | None]:
    here = local_backlog()
    local: dict[str, str | int | None] = {
        "spool_bytes": here.spool_bytes,
        "spool_seconds": here.spool_seconds,
        "held_events": here.held_events,
    }
    waiting = found.waiting
    if waiting is None:
        return {"state": "unknown"} | local
    spool_waits = here.spool_seconds > LATE_AFTER_SECONDS or here.held_events
    worker = "not seen" if waiting.drained_seconds is None else "stalled" if waiting.worker_is_stalled else "ok"
    return {
        "state": "late" if waiting.is_late or waiting.worker_is_stalled or spool_waits else "ok",
        "worker": worker,
        "backlog_seconds": waiting.seconds,
        "put_aside": waiting.unstorable + waiting.conflicts,
    } | local
