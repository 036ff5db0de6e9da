"""Each request has one line and one id: on the line, on the answer, on what it causes and on what a person sees."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from leadagent.telemetry.context import bind, current_request_id, request_id_from
from leadagent.telemetry.request_lines import RequestLines
from leadagent.tenants.models import ApiToken, Membership, Role
from tests.factories import MembershipFactory
from tests.telemetry.conftest import Lines

GIVEN = "01JD9Q8ZV4-edge.7"


@pytest.fixture
def viewer(db: None) -> Membership:
    return MembershipFactory(organization__slug="acme", role=Role.VIEWER)


# --- The id -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [GIVEN, "4bf92f3577b34da6a3ce929d0e0e4736", "8c1b1c5e-9a86-4dd1-9d2b-4a2b2a9d3b52", "Root=1-67891233-abcdef012345678912345678"],
)  # fmt: skip
def test_an_id_that_looks_like_one_is_taken_over(given: str) -> None:
    assert request_id_from(given) == given


@pytest.mark.parametrize(
    "given",
    ["", "short", "x" * 101, "two words here", "line\nbreak-0123", "<script>alert(1)</script>", "naïve-0123456",
     "sk-proj-0123456789abcdef", "lat_0123456789abcdef0123", "-leading-sign", "0123456789\n"],
)  # fmt: skip
def test_anything_else_is_replaced_and_so_is_what_looks_like_a_key(given: str) -> None:
    made = request_id_from(given)
    assert re.fullmatch(r"[0-9a-f]{16}", made)
    assert request_id_from(given) != made


def test_the_answer_and_the_line_carry_the_given_id(client: Client, viewer: Membership, lines: Lines) -> None:
    client.force_login(viewer.user)
    response = client.get("/o/acme/leads/?q=something+private", headers={"X-Request-ID": GIVEN})
    assert response.headers["X-Request-ID"] == GIVEN
    [line] = lines("request")
    assert line | {"at": "", "ms": 0, "queries": 0} == {
        "message": "request", "level": "info", "logger": "leadagent.telemetry.request_lines", "at": "",
        "request_id": GIVEN, "organization": "acme",
        "method": "GET", "route": "leads:list", "status": 200, "ms": 0, "queries": 0,
    }  # fmt: skip
    assert line["queries"] > 0
    assert "private" not in str(lines())


def test_requests_have_different_ids_and_leave_nothing_behind(client: Client, db: None) -> None:
    first, second = (client.get("/").headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert current_request_id() == ""


def test_a_request_of_another_organisation_does_not_inherit_its_name(
    client: Client, viewer: Membership, lines: Lines
) -> None:
    client.force_login(viewer.user)
    client.get("/o/acme/leads/")
    client.get("/o/globex/leads/")
    assert [line.get("organization") for line in lines("request")] == ["acme", None]
    assert [line["status"] for line in lines("request")] == [200, 404]


def test_a_token_of_a_link_is_not_in_any_line(client: Client, db: None, lines: Lines) -> None:
    client.get("/accounts/password/reset/key/1-abcdef-thetokenofalink/?next=/x")
    assert lines("request")
    assert "thetokenofalink" not in str(lines())


def test_an_address_that_leads_nowhere_has_no_name(client: Client, db: None, lines: Lines) -> None:
    client.generic("FETCH", "/no-such-page/sk-proj-0123456789abcdef")
    [line] = lines("request")
    assert (line["route"], line["method"], line["status"]) == ("unmatched", "other", 404)
    assert "no-such-page" not in str(lines())


def test_what_machines_ask_for_all_day_has_no_line_at_the_usual_level(client: Client, lines: Lines) -> None:
    client.get("/healthz")
    assert lines("request") == []


# --- Answers that are still being written -------------------------------------------


def streaming(rf: RequestFactory, pieces: Iterator[bytes]) -> StreamingHttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        bind(organization="acme")
        return StreamingHttpResponse(pieces)  # type: ignore[return-value]  # the middleware takes either

    response = RequestLines(view)(rf.get("/x", headers={"X-Request-ID": GIVEN}))
    assert isinstance(response, StreamingHttpResponse)
    return response


def test_a_stream_has_its_line_at_its_end(rf: RequestFactory, lines: Lines) -> None:
    seen: list[str] = []

    def pieces() -> Iterator[bytes]:
        seen.append(current_request_id())
        yield b"a"
        yield b"b"

    response = streaming(rf, pieces())
    assert lines("request") == []
    assert b"".join(response) == b"ab"
    [line] = lines("request")
    assert (line["stream"], line["organization"], line["request_id"]) == ("whole", "acme", GIVEN)
    assert seen == [GIVEN]
    assert current_request_id() == ""


def test_a_stream_that_nobody_reads_to_its_end_says_so(rf: RequestFactory, db: None, lines: Lines) -> None:
    response = streaming(rf, iter([b"a", b"b"]))
    assert next(iter(response)) == b"a"
    response.close()
    [line] = lines("request")
    assert line["stream"] == "cut"
    assert current_request_id() == ""


# --- What a person sees -------------------------------------------------------------


def test_error_pages_show_the_reference(client: Client, viewer: Membership) -> None:
    client.force_login(viewer.user)
    for path, status in (("/o/acme/settings/members/", 403), ("/o/globex/leads/", 404)):
        response = client.get(path, headers={"X-Request-ID": GIVEN})
        assert response.status_code == status
        assert f'<code class="reference">{GIVEN}</code>' in response.content.decode()


def test_the_page_for_a_fault_shows_the_reference_that_its_traceback_has(
    db: None, lines: Lines, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = "tests.look.urls"
    response = Client(raise_request_exception=False).get("/look-broken/")
    assert response.status_code == 500
    reference = response.headers["X-Request-ID"]
    assert f'<code class="reference">{reference}</code>' in response.content.decode()
    [broke] = [line for line in lines() if line["logger"] == "django.request"]
    assert (broke["request_id"], broke["level"]) == (reference, "error")
    assert "Traceback" in broke["exception"]
    assert [line["level"] for line in lines("request")] == ["warning"]


def test_errors_of_the_api_carry_the_reference(client: Client, viewer: Membership, lines: Lines) -> None:
    _, text = ApiToken.issue(viewer.organization, name="x", scopes=["usage:read"], created_by=None)
    headers = {"Authorization": f"Bearer {text}", "X-Request-ID": GIVEN}
    response = client.get("/api/leads/8c1b1c5e-9a86-4dd1-9d2b-4a2b2a9d3b52", headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["reference"] == GIVEN == response.headers["X-Request-ID"]
    [line] = lines("request")
    assert (line["request_id"], line["route"]) == (GIVEN, "api:get_lead")


def test_counting_queries_changes_none(rf: RequestFactory, db: None, lines: Lines) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", [7])
            return HttpResponse(str(cursor.fetchone()[0]))

    middleware: Callable[[HttpRequest], object] = RequestLines(view)
    response = middleware(rf.get("/x"))
    assert isinstance(response, HttpResponse)
    assert response.content == b"7"
    assert lines("request")[0]["queries"] == 1
    assert connection.execute_wrappers == []
