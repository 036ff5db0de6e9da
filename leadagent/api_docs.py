"""The API's documentation as an ordinary page of ours, made from the OpenAPI schema.

Swagger UI is not used: it brings 1.5 MB of script, and neither our look, nor a dark
theme, nor a phone layout. Tools read `/api/openapi.json`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

from leadagent.api_refusals import MEANINGS

Schema = Mapping[str, Any]
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Value:
    """One parameter, body field or response field; `name` is dotted inside nested objects."""

    name: str
    type: str
    required: bool
    place: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    anchor: str
    summary: str
    description: str
    scope: str
    role: str
    values: list[Value]
    answers: list[Answer]
    refusals: list[str]
    curl: str

    @property
    def description_parts(self) -> list[tuple[bool, str]]:
        """The description in pieces, each with whether it stood between backticks (code)."""
        return [(bool(place % 2), part) for place, part in enumerate(self.description.split("`"))]


class DocsPage(DocsBase):
    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        schema = api.get_openapi_schema(path_params=kwargs)
        context = {
            "description": schema["info"]["description"],
            "calls": list(calls(schema)),
            "refusals": [(int(status), meaning) for status, meaning in MEANINGS.items()],
            "schema_url": self.get_openapi_url(api, kwargs),
            "public_url": settings.PUBLIC_URL,
        }
        return render(request, "api/docs.html", context)


def calls(schema: Schema) -> Iterator[Call]:
    """Every call of an OpenAPI 3.1 schema, in its order."""
    named = schema["components"]["schemas"]
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            body = _json_schema(call.get("requestBody", {}))
            needs = {name: names for entry in call.get("security", []) for name, names in entry.items()}
            yield Call(
                method=method.upper(),
                path=path,
                anchor=call["operationId"].replace("_", "-"),
                summary=call["summary"],
                description=call.get("description", ""),
                scope=", ".join(needs.get("BearerToken", [])),
                role=", ".join(needs.get("SessionMember", [])),
                values=[*_parameters(call["parameters"], named), *_fields(body, named, place="body")],
                answers=[
                    Answer(str(status), answer["description"], list(_fields(_json_schema(answer), named, place="")))
                    for status, answer in call["responses"].items()
                    if int(status) < HTTPStatus.BAD_REQUEST
                ],
                refusals=[str(status) for status in call["responses"] if int(status) >= HTTPStatus.BAD_REQUEST],
                curl=_curl(method.upper(), path, _example(body, named)),
            )


def _json_schema(message: Schema) -> Schema:
    for content in message.get("content", {}).values():
        schema: Schema = content.get("schema", {})
        return schema
    return {}


def _parameters(parameters: list[Schema], named: Schema) -> Iterator[Value]:
    for parameter in parameters:
        yield Value(
            name=parameter["name"],
            type=_type(parameter["schema"], named),
            required=parameter["required"],
            place=parameter["in"],
            meaning=_meaning(parameter | parameter["schema"], named),
        )


def _fields(schema: Schema, named: Schema, *, place: str, prefix: str = "", depth: int = 0) -> Iterator[Value]:
    schema = _resolved(schema, named)
    if schema.get("type") == "array":
        schema, prefix = _resolved(schema["items"], named), f"{prefix}[]."
    for name, field in schema.get("properties", {}).items():
        yield Value(
            name=prefix + name,
            type=_type(field, named),
            required=name in schema.get("required", []),
            place=place,
            meaning=_meaning(field, named),
        )
        inner = _resolved(field, named)
        if depth < _DEEPEST and (inner.get("properties") or inner.get("type") == "array"):
            ending = "" if inner.get("type") == "array" else "."
            yield from _fields(inner, named, place=place, prefix=f"{prefix}{name}{ending}", depth=depth + 1)


def _meaning(schema: Schema, named: Schema) -> str:
    """The description with the limits that the schema sets."""
    limits = {**_resolved(schema, named), **schema}
    words = [
        f"{words} {limits[name]}{unit}"
        for name, words, unit in (
            ("minLength", "at least", " characters"),
            ("maxLength", "at most", " characters"),
            ("minimum", "from", ""),
            ("maximum", "up to", ""),
        )
        if name in limits
    ]
    sentence = ", ".join(words)
    return ". ".join(part for part in (schema.get("description", ""), sentence[:1].upper() + sentence[1:]) if part)


def _resolved(schema: Schema, named: Schema) -> Schema:
    """Follow a `$ref`, and look through "this or null"."""
    if "$ref" in schema:
        return _resolved(named[schema["$ref"].rsplit("/", 1)[-1]], named)
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    return _resolved(options[0], named) if len(options) == 1 else schema


def _type(schema: Schema, named: Schema) -> str:
    if options := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(option, named) for option in options))
    schema = _resolved(schema, named)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], named)}"
    return str(schema.get("format") or schema.get("type") or "any")


def _example(schema: Schema, named: Schema) -> dict[str, Any]:
    schema = _resolved(schema, named)
    required = schema.get("required", [])
    return {
        name: _example_value(field, named) for name, field in schema.get("properties", {}).items() if name in required
    }


def _example_value(field: Schema, named: Schema) -> Any:
    if field.get("examples"):
        return field["examples"][0]
    field = _resolved(field, named)
    if "enum" in field:
        return field["enum"][0]
    by_type: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    text = {"email": "jo@example.com", "uri": "https://example.com"}.get(field.get("format", ""), "…")
    return by_type.get(field.get("type", ""), text)


def _curl(method: str, path: str, body: Mapping[str, Any]) -> str:
    lines = [f"curl {settings.PUBLIC_URL}{path}", '-H "Authorization: Bearer $TOKEN"']
    if method != "GET":
        lines[0] = f"curl -X {method} {settings.PUBLIC_URL}{path}"
    if body:
        # A single quote would end the shell's string.
        text = json.dumps(body, ensure_ascii=False).replace("'", "’")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    return " \\\n  ".join(lines)
