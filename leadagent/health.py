"""Liveness and readiness for load balancers and `make run`."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from usage.ledger.backlog import LATE_AFTER_SECONDS, backlog, local_backlog


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """503 until PostgreSQL and Redis both answer; each is named with its state.

    `usage` tells how far accounting is behind. It makes nobody unready: pages are served and
    calls are recorded whether or not a worker keeps up.
    """
    checks = {"database": _database_answers(), "broker": _broker_answers()}
    ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ready" if ready else "not ready",
            **{k: "ok" if v else "failed" for k, v in checks.items()},
            "usage": _usage(),
        },
        status=200 if ready else 503,
    )


def _usage() -> dict[str, str | int | None]:
    here = local_backlog()
    local: dict[str, str | int | None] = {
        "spool_bytes": here.spool_bytes,
        "spool_seconds": here.spool_seconds,
        "held_events": here.held_events,
    }
    try:
        waiting = backlog()
    except DatabaseError:
        return {"state": "unknown"} | local
    spool_waits = here.spool_seconds > LATE_AFTER_SECONDS or here.held_events
    worker = "not seen" if waiting.drained_seconds is None else "stalled" if waiting.worker_is_stalled else "ok"
    return {
        "state": "late" if waiting.is_late or waiting.worker_is_stalled or spool_waits else "ok",
        "worker": worker,
        "backlog_seconds": waiting.seconds,
        "put_aside": waiting.unstorable + waiting.conflicts,
    } | local


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_answers() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
