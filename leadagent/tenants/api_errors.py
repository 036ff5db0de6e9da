"""Errors of the JSON API: `{"error": {"code", "message", "field"?, "reference"?}}` with the right status.

`reference` is the request's id, which the log lines about it carry.
"""

from typing import TypedDict

from django.http import HttpRequest, JsonResponse

from leadagent.telemetry.context import current_request_id


class ErrorBody(TypedDict, total=False):
    code: str
    message: str
    field: str
    reference: str


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


def not_found(request: HttpRequest, rest: str = "") -> JsonResponse:
    """The answer for an address under /api/ that leads nowhere."""
    return error_response(404, "not_found", "There is nothing at this address.")
