"""The API's documentation page and schema."""

import json

import pytest
from django.test import Client

from leadagent.api_docs import calls
from tests.tenants.api_urls import api

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tenants.api_urls")]


def test_the_page_needs_no_script_and_no_other_host(client: Client) -> None:
    response = client.get("/api/docs")
    assert response.status_code == 200
    page = response.content.decode()
    assert "JSON API" in page
    assert "/api/openapi.json" in page
    assert "cdn." not in page
    assert "<style" not in page


def test_the_root_leads_to_the_page(client: Client) -> None:
    assert client.get("/api/").headers["Location"] == "/api/docs"


def test_the_schema_names_scope_and_role_of_each_call(client: Client) -> None:
    schema = client.get("/test-api/openapi.json").json()
    assert schema["paths"]["/test-api/things"]["post"]["security"] == [
        {"BearerToken": ["leads:write"]},
        {"SessionMember": ["member"]},
    ]
    assert set(schema["components"]["securitySchemes"]) == {"BearerToken", "SessionMember"}


def test_a_call_is_described_in_full() -> None:
    documented = {call.anchor: call for call in calls(json.loads(json.dumps(api.get_openapi_schema())))}
    read = documented["read-things"]
    assert read.description_parts == [(False, "Says who asked, and for which "), (True, "organization"), (False, ".")]
    call = documented["add-thing"]
    assert (call.method, call.path) == ("POST", "/test-api/things")
    assert (call.scope, call.role) == ("leads:write", "member")
    assert [(value.name, value.type, value.required) for value in call.values] == [
        ("name", "string", True),
        ("kind", "a, b", False),
        ("email", "string or null", False),
        ("addresses", "list of object", False),
        ("addresses[].street", "string", True),
    ]
    assert call.values[0].meaning == "What it is called. At least 2 characters"
    assert call.values[1].meaning == ""
    [answer] = call.answers
    assert (answer.status, [value.name for value in answer.values]) == ("201", ["organization", "by"])
    assert call.curl.startswith("curl -X POST ")
    assert '-H "Authorization: Bearer $TOKEN"' in call.curl
    assert '-d \'{"name": "…"}\'' in call.curl
    assert [(value.name, value.place) for value in read.values] == [("limit", "query")]
