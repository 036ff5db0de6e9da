"""Refusals in the OpenAPI document: those that every call may give, and what each status means.

A call names only those of its own: `response={200: …, 409: Refusal}`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from leadagent.tenants.api_errors import ErrorOut, Refusal

MEANINGS = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON, or the organisation is not named though it could be one of several.",
    HTTPStatus.UNAUTHORIZED: "Nobody whom we know: sign in, or send a token that is alive.",
    HTTPStatus.FORBIDDEN: "The scope or the role does not reach that far, or an act asks for a recent sign-in.",
    HTTPStatus.NOT_FOUND: "Not in this organisation, or no organisation of the caller's.",
    HTTPStatus.CONFLICT: "Something else was done in the meantime: read again, then decide.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than any call needs.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value is not what it has to be; nothing was changed.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often: the header Retry-After says in how many seconds it may work again.",
}
_BY_EVERY_CALL = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
)
_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}
_REF = "#/components/schemas/"


def document_refusals(schema: Mapping[str, Any]) -> None:
    """Write the refusals into every call that asks who calls."""
    named = schema["components"]["schemas"]
    named["Refusal"] = Refusal.model_json_schema(ref_template=_REF + "{model}", mode="serialization")
    del named["Refusal"]["$defs"]
    named["ErrorOut"] = ErrorOut.model_json_schema(mode="serialization")
    # What is left out is not there, rather than empty.
    for name in ("field", "reference"):
        del named["ErrorOut"]["properties"][name]["default"]
    for methods in schema["paths"].values():
        for call in methods.values():
            if call.get("security"):
                _document(call)


def _document(call: dict[str, Any]) -> None:
    refusals = {*_BY_EVERY_CALL, *(HTTPStatus(status) for status in call["responses"] if status >= 400)}
    if "requestBody" in call:
        refusals |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
    elif call["parameters"]:
        refusals.add(HTTPStatus.UNPROCESSABLE_ENTITY)
    for status in sorted(refusals):
        call["responses"][int(status)] = {
            "description": MEANINGS[status],
            "content": {"application/json": {"schema": {"$ref": f"{_REF}Refusal"}}},
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
