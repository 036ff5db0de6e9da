"""The JSON API under /api/: what is mounted where, and how errors look.

Every error is `{"error": {"code", "message", "field"?, "reference"?}}`: see `tenants.api_errors`.
"""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.views.generic import RedirectView
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from byok.api import router as ai_config
from byok.catalog_api import router as ai_models
from leadagent.api_docs import DocsPage
from leadagent.api_refusals import document_refusals
from leadagent.leads.api import router as leads
from leadagent.telemetry.routes import route_of
from leadagent.tenants.api_auth import BearerToken, SessionMember
from leadagent.tenants.api_errors import ApiError, error_response
from usage.api.log import router as usage_log
from usage.api.stats import router as ai_usage

logger = logging.getLogger(__name__)

_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limited",
}


class ProductAPI(NinjaAPI):
    """django-ninja with our shape of errors, wrong methods included."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_exception_handler(ApiError, _on_api_error)
        self.add_exception_handler(ValidationError, _on_validation_error)
        self.add_exception_handler(HttpError, _on_http_error)
        self.add_exception_handler(Http404, _on_not_found)
        self.add_exception_handler(PermissionDenied, _on_permission_denied)
        for unreadable in (MultiPartParserError, SuspiciousOperation, UnreadablePostError):
            self.add_exception_handler(unreadable, _on_unreadable)
        self.add_exception_handler(RequestDataTooBig, _on_too_large)
        self.add_exception_handler(Exception, _on_crash)

    @property
    def urls(self) -> tuple[list[Any], str, str]:
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if not isinstance(pattern, URLPattern):
                continue
            if pattern.name == "api-root":
                pattern.callback = RedirectView.as_view(pattern_name=f"{self.urls_namespace}:openapi-view")
            else:
                pattern.callback = _with_json_405(pattern.callback)
        return patterns, app_name, namespace

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """django-ninja's schema, with the scope and the role each call needs in its `security`, and all refusals."""
        schema = super().get_openapi_schema(**options)
        needs = {
            self.get_openapi_operation_id(operation): [_requirement(auth) for auth in operation.auth_callbacks]
            for router in self._get_bound_routers()
            for path_view in router.path_operations.values()
            for operation in path_view.operations
            if operation.auth_callbacks
        }
        for methods in schema["paths"].values():
            for call in methods.values():
                if call["operationId"] in needs:
                    call["security"] = needs[call["operationId"]]
        document_refusals(schema)
        return schema


def _requirement(auth: Any) -> dict[str, list[str]]:
    # OpenAPI 3.1 allows names of roles here for any kind of scheme.
    if isinstance(auth, BearerToken):
        return {"BearerToken": [auth.scope.value]}
    if isinstance(auth, SessionMember):
        return {"SessionMember": [auth.role.value]}
    return {type(auth).__name__: []}


def _with_json_405(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        allowed = response.headers["Allow"]
        refusal = error_response(405, "method_not_allowed", f"This address answers {allowed} only.")
        refusal.headers["Allow"] = allowed
        return refusal

    return answer


def _on_api_error(request: HttpRequest, error: Any) -> HttpResponse:
    return error_response(error.status, error.code, error.message, field=error.field, retry_after=error.retry_after)


def _on_validation_error(request: HttpRequest, error: Any) -> HttpResponse:
    first = error.errors[0]
    # ("body", "payload", "email") or ("query", "limit"): what the caller wrote is at the end.
    location = [str(part) for part in first["loc"]]
    field = ".".join(location[2:] if location[0] in {"body", "form"} and len(location) > 2 else location[1:])
    message = first["msg"].removeprefix("Value error, ")
    return error_response(422, "invalid", f"{field}: {message}" if field else message, field=field)


def _on_http_error(request: HttpRequest, error: Any) -> HttpResponse:
    message = str(error)
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        message = "Sign in, or send an API token as “Authorization: Bearer …”."
    code = _CODES.get(HTTPStatus(error.status_code), "error")
    return error_response(error.status_code, code, message)


def _on_not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return error_response(404, "not_found", "There is no such thing in this organisation.")


def _on_permission_denied(request: HttpRequest, error: Any) -> HttpResponse:
    return error_response(403, "forbidden", str(error) or "You may not do this.")


def _on_unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return error_response(400, "bad_request", "The request cannot be read.")


def _on_too_large(request: HttpRequest, error: Any) -> HttpResponse:
    megabytes = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) / 1024**2
    return error_response(413, "too_large", f"The body is larger than {megabytes:g} MB.")


def _on_crash(request: HttpRequest, error: Any) -> HttpResponse:
    # Same signal as Django's own handler: error reports and the test client listen to it.
    got_request_exception.send(sender=None, request=request)
    logger.error("API call failed: %s %s", request.method, route_of(request), exc_info=error)
    return error_response(500, "internal_error", "Something failed on our side. It is logged; try again later.")


api = ProductAPI(
    title="Lead Agent",
    version="1",
    description=(
        "Hand in leads and follow them, read and change the AI configuration, look for models and their prices, "
        "read usage and costs. "
        "A token belongs to one organisation and names it; with a session, the header X-Organization does."
    ),
    docs=DocsPage(),
    urls_namespace="api",
)
api.add_router("/ai-config", ai_config)
api.add_router("/ai-models", ai_models)
api.add_router("/ai-usage", ai_usage)
api.add_router("/ai-usage", usage_log)
api.add_router("/leads", leads)
