"""The audit page: what admins read, filter and download, and what nobody else does."""

import ast
import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from leadagent.tenants import audit
from leadagent.tenants.audit_trail.actions import GROUPS, LABELS, actions_of, label_of
from leadagent.tenants.audit_trail.log import PAGE
from leadagent.tenants.models import ApiToken, AuditEvent, Membership, Organization
from tests.serving import REPOSITORY
from tests.tenants.audit_rows import chain_now, run, unguarded, write

SignIn = Callable[[Membership], Client]


def url(name: str = "audit", **query: str) -> str:
    return reverse(f"tenants:{name}", args=["acme"]) + (f"?{urlencode(query)}" if query else "")


@pytest.fixture
def browser(admin: Membership, signed_in: SignIn) -> Client:
    return signed_in(admin)


def shown(client: Client, **query: str) -> list[str]:
    """The targets of the entries on a page."""
    response = client.get(url(**query))
    assert response.status_code == 200
    return [event.target for event, _, _ in response.context.get("rows", [])]


def downloaded(client: Client, **query: str) -> list[dict[str, str]]:
    response = client.get(url("audit_export", **query))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.fixture
def many(organization: Organization, admin: Membership) -> None:
    """One event of several kinds, people and days."""
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("2026-03-01 00:00", "member.role_changed", {"target": "jo@example.test"}),
        ("2026-03-01 23:59", "invitation.sent", {"target": "sam@example.test", "actor": admin.user}),
        ("2026-03-02 00:00", "credential.saved", {"target": "openrouter"}),
        ("2026-03-03 12:00", "something.unknown_happened", {"target": "a thing"}),
    ]
    for at, action, fields in rows:
        with time_machine.travel(datetime.fromisoformat(f"{at}+00:00"), tick=False):
            audit.record(action, organization=organization, **fields)


# --- Reading ------------------------------------------------------------------------


def test_an_entry_says_who_what_about_from_where_and_when(browser: Client, organization: Organization) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 34, tzinfo=UTC), tick=False):
        AuditEvent.objects.create(
            organization=organization,
            actor_label="jo@example.test",
            action="member.role_changed",
            target="sam@example.test",
            before={"role": "viewer", "same": 1},
            after={"role": "admin", "same": 1},
            ip_address="203.0.113.7",
        )
    page = browser.get(url()).content.decode()
    text = unescape(page)
    for words in (
        "jo@example.test",
        "Changed a member's role",
        "sam@example.test",
        "203.0.113.7",
        "2026-03-01 12:34 UTC",
    ):
        assert words in text
    assert "before: </span>viewer" in page
    assert "after: </span>admin" in page
    assert "Same" not in page, "only what changed"
    assert "member.role_changed" not in page.split("<table")[1], "words, not names"


def test_newest_first(browser: Client, many: None) -> None:
    assert shown(browser) == ["a thing", "openrouter", "sam@example.test", "jo@example.test"]


def test_the_page_is_for_admins(
    member: Membership, viewer: Membership, outsider: Membership, signed_in: SignIn
) -> None:
    for name in ("audit", "audit_export"):
        for who, status in ((member, 403), (viewer, 403), (outsider, 404)):
            assert signed_in(who).get(url(name)).status_code == status


def test_only_admins_are_led_there(admin: Membership, signed_in: SignIn) -> None:
    assert f'href="{url()}"' in signed_in(admin).get(reverse("tenants:members", args=["acme"])).content.decode()


def test_another_tenants_events_never(browser: Client, outsider: Membership, organization: Organization) -> None:
    audit.record("x.y", organization=organization, target="ours")
    audit.record("x.y", organization=outsider.organization, target="theirs")
    audit.record("x.y", organization=None, target="nobody's")
    assert shown(browser) == ["ours"]
    assert shown(browser, who="system") == ["ours"]
    assert shown(browser, about="theirs") == []
    assert [row["about"] for row in downloaded(browser)] == ["ours"]


def test_nobody_is_gone(browser: Client, organization: Organization, member: Membership) -> None:
    audit.record("x.y", organization=organization, actor=member.user, target="x")
    member.user.delete()
    assert "member@acme.test" in browser.get(url()).content.decode()


def test_what_came_from_outside_is_text(browser: Client, organization: Organization) -> None:
    script = "<script>alert(1)</script>"
    audit.record(
        f"x.{script}", organization=organization, target=script, after={script: script, "list": [{"a": script}]}
    )
    page = browser.get(url()).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_an_empty_log_says_what_will_be_there(browser: Client) -> None:
    page = browser.get(url()).content.decode()
    assert "Nothing is written here yet" in page
    assert "Download CSV" not in page


# --- Pages --------------------------------------------------------------------------


def test_older_entries_come_by_key(browser: Client, organization: Organization) -> None:
    write(organization, PAGE * 2 + 5)
    seen: list[str] = []
    address = url()
    sizes = []
    while address:
        response = browser.get(address)
        rows = [event.target for event, _, _ in response.context["rows"]]
        sizes.append(len(rows))
        seen += rows
        address = response.context["next_url"]
        assert ("Load more" in response.content.decode()) is bool(address)
    assert sizes == [50, 50, 5]
    assert seen == [f"person {number}" for number in range(PAGE * 2 + 5, 0, -1)]


def test_entries_of_one_moment_are_neither_lost_nor_doubled(browser: Client, organization: Organization) -> None:
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        write(organization, PAGE + 1)
    following = browser.get(browser.get(url()).context["next_url"])
    assert [event.target for event, _, _ in following.context["rows"]] == ["person 1"]


def test_the_next_page_keeps_the_filter(browser: Client, organization: Organization) -> None:
    write(organization, PAGE + 1, action="credential.saved")
    write(organization, PAGE, action="member.left")
    first = browser.get(url(action="keys", about="person"))
    assert "action=keys&about=person&cursor=" in first.context["next_url"]
    second = browser.get(first.context["next_url"])
    assert [event.action for event, _, _ in second.context["rows"]] == ["credential.saved"]
    assert "Newest entries" in second.content.decode()


def test_htmx_gets_the_rows_only(browser: Client, organization: Organization) -> None:
    write(organization, PAGE + 1)
    response = browser.get(browser.get(url()).context["next_url"], headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "<html" not in page
    assert page.strip().startswith("<tr>")
    assert "person 1<" in page


@pytest.mark.parametrize(
    "cursor",
    ["x", "2026-01-01_5", "2026-01-01T00:00:00Z_x", "0001-01-01T00:00:00+14:00_1", f"2026-01-01T00:00:00Z_{'9' * 30}"],
)
def test_a_damaged_page_address(browser: Client, cursor: str) -> None:
    response = browser.get(url(cursor=cursor))
    assert response.status_code == 400
    assert "start again from the first page" in response.content.decode()


def test_the_page_costs_the_same_for_one_and_for_many(
    browser: Client, organization: Organization, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            browser.get(url())
        return [query["sql"] for query in captured]

    write(organization, 1)
    chain_now()
    one = queries()
    write(organization, 2)
    ApiToken.issue(organization, name="Second", scopes=[], created_by=None)
    chain_now()
    assert len(queries()) == len(one)
    assert sum("tenants_auditevent" in sql for sql in one) == 2, "the rows, and the look at their chain"


# --- Filters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"action": "members"}, ["sam@example.test", "jo@example.test"]),
        ({"action": "member.role_changed"}, ["jo@example.test"]),
        ({"action": "keys"}, ["openrouter"]),
        ({"action": "other"}, ["a thing"]),
        ({"who": "ADMIN@acme"}, ["sam@example.test"]),
        ({"who": "system"}, ["a thing", "openrouter", "jo@example.test"]),
        ({"since": "2026-03-02"}, ["a thing", "openrouter"]),
        ({"until": "2026-03-01"}, ["sam@example.test", "jo@example.test"]),
        ({"since": "2026-03-02", "until": "2026-03-02"}, ["openrouter"]),
        ({"about": "EXAMPLE.test"}, ["sam@example.test", "jo@example.test"]),
        ({"about": "100%_"}, []),
        ({"action": "members", "who": "system", "until": "2026-03-01", "about": "jo"}, ["jo@example.test"]),
        ({"action": "tokens"}, []),
    ],
)
def test_filters_decide_what_is_shown_and_downloaded(
    browser: Client, many: None, query: dict[str, str], expected: list[str]
) -> None:
    assert shown(browser, **query) == expected
    assert [row["about"] for row in downloaded(browser, **query)] == expected


def test_no_result_leads_back(browser: Client, many: None) -> None:
    page = browser.get(url(who="nobody")).content.decode()
    assert "No entry fits these filters" in page
    assert "Clear filters" in page


def test_the_form_keeps_what_was_typed(browser: Client, many: None) -> None:
    page = browser.get(url(action="keys", who="jo", since="2026-03-01", about="x")).content.decode()
    for part in ('value="keys" selected', 'value="jo"', 'value="2026-03-01"', 'value="x"'):
        assert part in page


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "2026-13-01"}, "Enter a valid date"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "before the first one"),
        ({"until": "9999-12-31"}, "Choose an earlier day"),
        ({"action": "no.such"}, "Select a valid choice"),
    ],
)
def test_a_filter_that_cannot_be(browser: Client, many: None, query: dict[str, str], says: str) -> None:
    response = browser.get(url(**query))
    assert response.status_code == 422
    assert says in unescape(response.content.decode())
    export = browser.get(url("audit_export", **query))
    assert export.headers["Location"] == url(**query)


def test_members_and_tokens_are_offered(browser: Client, organization: Organization, viewer: Membership) -> None:
    ApiToken.issue(organization, name="Zapier", scopes=[], created_by=None)
    page = browser.get(url()).content.decode()
    for name in ("admin@acme.test", "viewer@acme.test", "Zapier"):
        assert f'<option value="{name}">' in page


# --- The chain ----------------------------------------------------------------------


def test_the_chains_state_is_told(browser: Client, organization: Organization) -> None:
    write(organization, 3)
    chain_now()
    page = browser.get(url()).content.decode()
    head = AuditEvent.objects.get(position=3).hash
    assert "Chain intact" in page
    assert "3 entries, head" in page
    assert f"{head[:12]}…" in page
    assert "manage.py verify_audit --organization acme" in page


@pytest.mark.django_db(transaction=True)
def test_a_broken_chain_is_told(browser: Client, organization: Organization) -> None:
    write(organization, 3)
    with unguarded():
        run("UPDATE tenants_auditevent SET target = 'x' WHERE position = 2")
    page = browser.get(url()).content.decode()
    assert "Chain broken" in page
    assert "Not as written: entry 2." in page
    assert "Chain intact" not in page
    with unguarded():
        run("DELETE FROM tenants_auditevent WHERE position >= 2")
    assert "The end of the chain is not what its head says." in browser.get(url()).content.decode()


# --- Download -----------------------------------------------------------------------


def test_a_download_is_an_event_and_not_in_itself(browser: Client, many: None) -> None:
    assert len(downloaded(browser, action="members")) == 2
    event = AuditEvent.objects.get(action="audit.exported")
    assert (event.actor_label, event.target, event.ip_address) == ("admin@acme.test", "action=members", "127.0.0.1")
    assert [row["action"] for row in downloaded(browser, action="exports")] == ["audit.exported"]


def test_a_download_holds_every_column(browser: Client, organization: Organization) -> None:
    audit.record("member.role_changed", organization=organization, target="ü", before={"b": 1}, after={"a": "é"})
    chain_now()
    event = AuditEvent.objects.get()
    [row] = downloaded(browser)
    assert row == {
        "position": "1",
        "time_utc": event.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "who": "system",
        "action": "member.role_changed",
        "what": "Changed a member's role",
        "about": "ü",
        "ip_address": "",
        "before": '{"b": 1}',
        "after": '{"a": "é"}',
        "previous_hash": "",
        "hash": event.hash,
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "  =", "\u00a0@"])
def test_no_cell_is_a_formula(browser: Client, organization: Organization, start: str) -> None:
    audit.record("x.y", organization=organization, target=f"{start}HYPERLINK()")
    [row] = downloaded(browser)
    assert row["about"].startswith("'")


def test_a_download_is_named_and_not_kept(browser: Client, many: None) -> None:
    with time_machine.travel(datetime(2026, 4, 5, tzinfo=UTC), tick=False):
        response = browser.get(url("audit_export"))
    assert response.headers["Content-Disposition"] == 'attachment; filename="audit-acme-2026-04-05.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.streaming


# --- Words --------------------------------------------------------------------------


def recorded_actions() -> set[str]:
    """Every action that the product names somewhere: a whole text of the form "what.happened"."""
    found: set[str] = set()
    for path in (path for package in ("leadagent", "byok", "usage") for path in (REPOSITORY / package).rglob("*.py")):
        text = path.read_text()
        # These name modules and tables.
        is_other = "migrations" in path.parts or path.name in {"settings.py", "apps.py", "audit_actions.py"}
        if "audit" in text and not is_other:
            texts = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
            # Python's own audit events are called alike.
            found |= {
                value for value in texts if isinstance(value, str) and re.fullmatch(r"(?!os\.)[a-z_]+\.[a-z_]+", value)
            }
    return found


def test_whatever_is_recorded_has_words_and_so_a_group() -> None:
    recorded = recorded_actions()
    assert {"credential.saved", "connection.test_failed", "member.role_changed", "tenant.imported"} <= recorded
    assert recorded - LABELS.keys() == set()


def test_every_known_action_belongs_to_one_group() -> None:
    for action in LABELS:
        assert sum(action.partition(".")[0] in group.prefixes for group in GROUPS) == 1, action
    assert sum(len(actions_of(group)) for group in GROUPS) == len(LABELS)


def test_unknown_actions_have_words_too() -> None:
    assert label_of("key.moved_away") == "Key: moved away"
    assert label_of("alone") == "Alone"
    assert label_of("") == "Unnamed act"
