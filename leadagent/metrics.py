"""`/metrics` for Prometheus: what accounting has still to do, and what this web server's processes have counted.

The former are facts of PostgreSQL or of this machine's disk, so that any web process gives the
same answer; the latter are in `telemetry.figures`. Nothing here names an organisation.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_safe

from leadagent.telemetry.figures import exposition
from leadagent.telemetry.metrics_server import brings_token
from usage.ledger.backlog import backlog, local_backlog

_HELP = {
    "database_up": "Whether PostgreSQL answered.",
    "backlog_seconds": "Age of the oldest usage event that waits in the inbox.",
    "backlog_events": "Usage events that wait in the inbox, counted up to 100,000.",
    "open_calls": "Calls that were sent and have not ended yet, counted up to 100,000.",
    "unsettled_calls": "Calls whose cost is still to be asked from the provider.",
    "unstorable_events": "Usage events that were put aside because they cannot be stored.",
    "conflicting_events": "Usage events that came again with other figures.",
    "drained_seconds": "Seconds since a worker looked after the inbox.",
    "spool_bytes": "Bytes of usage events that wait on this machine's disk.",
    "spool_seconds": "Age of the oldest call whose events wait on this machine's disk.",
    "spool_rejected_bytes": "Bytes of spooled events that a person has to look at.",
    "held_events": "Usage events that this process holds in memory only.",
}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures, for whoever brings METRICS_TOKEN; 404 for everybody else, and while none is set."""
    if not brings_token(request.headers.get("Authorization", "")):
        return HttpResponseNotFound()
    lines = []
    for name, value in _figures().items():
        metric = f"leadagent_usage_{name}"
        lines += [f"# HELP {metric} {_HELP[name]}", f"# TYPE {metric} gauge", f"{metric} {value}"]
    body = "\n".join(lines) + "\n" + exposition()
    return HttpResponse(body, content_type="text/plain; version=0.0.4; charset=utf-8")


def _figures() -> dict[str, int]:
    here = local_backlog()
    figures = {
        "spool_bytes": here.spool_bytes,
        "spool_seconds": here.spool_seconds,
        "spool_rejected_bytes": here.rejected_bytes,
        "held_events": here.held_events,
    }
    try:
        waiting = backlog()
    except DatabaseError:
        return {"database_up": 0} | figures
    figures |= {
        "database_up": 1,
        "backlog_seconds": waiting.seconds,
        "backlog_events": waiting.events,
        "open_calls": waiting.open_calls,
        "unsettled_calls": waiting.unsettled_calls,
        "unstorable_events": waiting.unstorable,
        "conflicting_events": waiting.conflicts,
    }
    if waiting.drained_seconds is not None:
        figures["drained_seconds"] = waiting.drained_seconds
    return figures
