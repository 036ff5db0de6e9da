"""Errors of the JSON API: `{"error": {"code", "message", "field"?, "reference"?}}` with the right status.

`reference` is the request's id, which the log lines about it carry.
"""

from typing import Annotated, TypedDict

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import Field, Schema

from leadagent.telemetry.context import current_request_id


class ErrorBody(TypedDict, total=False):
    code: str
    message: str
    field: str
    reference: str


class ErrorOut(Schema):
    code: Annotated[str, Field(description="For programs: stays the same while the words may change.")]
    message: Annotated[str, Field(description="For people.")]
    field: Annotated[str, Field(description="The one that is to blame; left out where none is.")] = ""
    reference: Annotated[str, Field(description="The request's id: tell it to support, whose log lines carry it.")] = ""


class Refusal(Schema):
    """The body of every answer of 400 and above, for `response=` of calls with refusals of their own."""

    error: ErrorOut


class ApiError(Exception):
    """Raised by a view or an authentication: answered as `message` for people and `code` for programs."""

    def __init__(self, status: int, code: str, message: str, *, field: str = "", retry_after: int = 0) -> None:
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        super().__init__(message)


def error_response(status: int, code: str, message: str, *, field: str = "", retry_after: int = 0) -> JsonResponse:
    """The answer that tells an error; `retry_after` is in seconds."""
    body: ErrorBody = {"code": code, "message": message}
    if field:
        body["field"] = field
    if reference := current_request_id():
        body["reference"] = reference
    response = JsonResponse({"error": body}, status=status)
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@csrf_exempt  # or another site's POST would be told about CSRF, by a page
def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """The answer for an address under /api/ that leads nowhere."""
    return error_response(404, "not_found", "There is nothing at this address.")
