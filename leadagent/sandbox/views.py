"""What was recorded, for tests and for people who compare it with the usage page."""

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt

from leadagent.sandbox import record
from leadagent.sandbox.gate import GENERATING_KINDS, is_local, json_response


@csrf_exempt
def requests(request: HttpRequest) -> HttpResponse:
    """GET the recorded requests, oldest first, with their `count`; DELETE forgets them.

    `generations` counts those that called a model: chat, messages and embeddings.

    Filters: `since` (ISO 8601 or epoch seconds), `key_sha256`, `kind` (chat, embeddings,
    models, key, generation, auth, other) and `wire`. `recording` is false, and the list empty,
    when SANDBOX_RECORD_FILE is not set.
    """
    if not is_local(request):
        return HttpResponseNotFound()
    if request.method == "DELETE":
        record.empty()
        return HttpResponse(status=204)
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET", "DELETE"])
    filters = {name: request.GET.get(name, "") for name in ("key_sha256", "kind", "wire")}
    try:
        since = _moment(request.GET.get("since", ""))
    except ValueError:
        return json_response({"error": "since is neither an ISO 8601 time nor epoch seconds"}, status=400)
    found = record.entries(since=since, **filters)
    return json_response(
        {
            "recording": bool(settings.SANDBOX_RECORD_FILE),
            "count": len(found),
            "generations": sum(entry["kind"] in GENERATING_KINDS for entry in found),
            "requests": found,
        }
    )


def _moment(text: str) -> datetime | None:
    """A point in time, UTC unless it says otherwise. Raises ValueError."""
    if not text:
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
