"""Answers that need not be sent again: a mark of what they hold, and 304 for who has it already."""

from hashlib import sha256

from django.http import HttpResponse

from leadagent.sandbox.gate import Call


def unless_known(call: Call, response: HttpResponse) -> HttpResponse:
    """The answer with an ETag, or an empty 304 where the caller names that one in If-None-Match (RFC 9110, 13.1.2)."""
    etag = f'W/"{sha256(response.content).hexdigest()[:32]}"'
    named = {name.strip() for name in call.request.headers.get("If-None-Match", "").split(",")}
    if etag in named:
        response = HttpResponse(status=304)
        del response.headers["Content-Type"]
    response.headers["ETag"] = etag
    return response
