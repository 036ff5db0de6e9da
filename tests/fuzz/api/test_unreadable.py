"""Bodies that nobody can read are the caller's fault, and told as such: 400 and 413, never 500."""

import pytest
from django.test import Client

from leadagent.tenants.models import ApiToken, Membership, Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(organization: Organization) -> dict[str, str]:
    _, text = ApiToken.issue(organization, name="Fuzz", scopes=["leads:write"], created_by=None)
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=\u00e9"])
def test_a_form_without_its_boundary(content_type: str, admin: Membership) -> None:
    """The CSRF check looks into the form before the call does."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin.user)
    client.cookies["csrftoken"] = "c" * 32
    answer = client.post("/api/leads", b"x", content_type=content_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_a_body_that_is_too_large(token: dict[str, str]) -> None:
    body = b'{"name": "%s"}' % (b"x" * 3_000_000)
    answer = Client().post("/api/leads", body, content_type="application/json", headers=token)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (413, "too_large")
    assert error["message"] == "The body is larger than 2.5 MB."


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b'{"name": "\\ud800"}', b"NaN"])
def test_json_that_is_none(body: bytes, token: dict[str, str]) -> None:
    answer = Client().post("/api/leads", body, content_type="application/json", headers=token)
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"error"}


def test_an_address_that_leads_nowhere_answers_in_json_to_everybody() -> None:
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(Client(enforce_csrf_checks=True), method)("/api/leads/no-number/notes")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), method
