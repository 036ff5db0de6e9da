"""A key that is revoked in mid-run, on the real processes: what goes on with the platform's AI, and what stops."""

import json
import subprocess
import sys
from hashlib import sha256
from typing import Any

from tests.flows.test_workflow import LEAD
from tests.serving import REPOSITORY, Served, Visitor, until

OPERATIONS = ("research", "qualification", "email_generation")
USED = "SELECT coalesce(sum(used), 0) FROM usage_freetiermonth f JOIN tenants_organization o ON o.id = organization_id"
_SEED = """
import json, sys
from byok.config.saving import save_ai_config
from leadagent.tenants.models import Organization
save_ai_config(Organization.objects.get(slug="acme"), **json.loads(sys.argv[1]))
"""


def seed(served: Served, key: str, consent: str) -> None:
    """Store a key without the test that pages and API make: it is to fail later."""
    values = {
        "provider": "openrouter",
        "chat_model": "anthropic/claude-sonnet-5.5",
        "api_key": key,
        "fallback": dict.fromkeys(OPERATIONS, consent),
    }
    code = f"import django; django.setup()\n{_SEED}"
    command = [sys.executable, "-c", code, json.dumps(values)]
    subprocess.run(command, cwd=REPOSITORY, env=served.environment(), check=True, timeout=60)


def exchanges(served: Served, run: str) -> list[tuple[str, str, str]]:
    return [(row["operation"], row["key_owner"], row["error_code"]) for row in served.usage_rows(run)]


def platform_calls(rows: list[tuple[str, str, str]]) -> list[str]:
    return [operation for operation, owner, _ in rows if owner == "platform"]


def assert_nothing_is_missing_or_doubled(served: Served, run: str, key: str) -> None:
    """The provider's count against ours: each exchange is one row, under the key that it was made with."""
    rows = served.usage_rows(run)
    arrived = served.arrived(run)
    assert len(rows) == len(arrived)
    own = sha256(key.encode()).hexdigest()
    assert [row["key_owner"] for row in rows] == [
        "customer" if request["key_sha256"] == own else "platform" for request in arrived
    ]
    assert [row["http_status"] for row in rows] == [request["status"] for request in arrived]


def audited(served: Served, action: str, run: str) -> list[Any]:
    sql = "SELECT after FROM tenants_auditevent WHERE action = %s AND target = %s ORDER BY id"
    return [row[0] for row in served.query(sql, action, f"run {run}")]


def test_allowed_the_run_goes_on_and_says_so(served: Served, admin: Visitor) -> None:
    key = "sk-or-v1-flow-revoked2-allow-7777777777777777"
    seed(served, key, "allow")
    used_before = served.query(USED)[0][0]

    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "paused", "failed")

    assert run["status"] == "awaiting_review", run
    assert [step["attempts"] for step in run["steps"]] == [1, 1, 1]
    rows = exchanges(served, run["id"])
    # Refused once; from then on the key is known to be refused.
    assert [code for _, owner, code in rows if owner == "customer"] == ["", "", "invalid_key"]
    on_platform = [step["name"] for step in run["steps"] if step["on_platform"]]
    assert on_platform == list(dict.fromkeys(platform_calls(rows)))
    assert "email_generation" in on_platform
    assert_nothing_is_missing_or_doubled(served, run["id"], key)
    assert served.query(USED)[0][0] - used_before == len(platform_calls(rows))
    page = admin.get(f"/o/acme/leads/{lead['id']}/").text
    assert page.count("Done with the platform&#x27;s AI, because OpenRouter refused the key.") == len(on_platform)
    assert audited(served, "fallback.used", run["id"]) == [{"operation": on_platform[0], "because": "invalid_key"}]


def test_asked_a_person_lets_the_run_go_on(served: Served, admin: Visitor) -> None:
    key = "sk-or-v1-flow-revoked2-ask-88888888888888888"
    seed(served, key, "ask")

    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "paused", "awaiting_review", "failed")

    assert (run["status"], run["error_code"]) == ("paused", "invalid_key"), run
    assert platform_calls(exchanges(served, run["id"])) == []
    stopped = exchanges(served, run["id"])
    page = admin.get(f"/o/acme/leads/{lead['id']}/").text
    address = f"/o/acme/runs/{run['id']}/fallback/"
    assert "OpenRouter refused the key." in page
    assert f'action="{address}"' in page

    with Visitor(served, "member@demo.test") as member:
        member.post(address)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed")

    assert run["status"] == "awaiting_review", run
    rows = exchanges(served, run["id"])
    # Nothing that was done before the pause is done again, and the refused key is not tried again.
    assert rows[: len(stopped)] == stopped
    assert {owner for _, owner, _ in rows[len(stopped) :]} == {"platform"}
    assert [step["on_platform"] for step in run["steps"]][-1]
    assert_nothing_is_missing_or_doubled(served, run["id"], key)
    assert len(audited(served, "fallback.used", run["id"])) == 1
    [granted] = audited(served, "fallback.granted", run["id"])
    assert granted == {"operations": list(OPERATIONS), "because": "invalid_key"}


def test_without_consent_the_platforms_key_is_not_touched(served: Served, admin: Visitor) -> None:
    key = "sk-or-v1-flow-revoked2-never-999999999999999"
    seed(served, key, "never")

    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "paused", "awaiting_review", "failed")

    assert (run["status"], run["error_code"]) == ("paused", "invalid_key"), run
    admin.post(f"/o/acme/runs/{run['id']}/fallback/")
    assert admin.lead(lead["id"])["run"]["status"] == "paused"
    assert {owner for _, owner, _ in exchanges(served, run["id"])} == {"customer"}
    assert_nothing_is_missing_or_doubled(served, run["id"], key)
    waiting = "SELECT count(*) FROM usage_usageinbox"
    until(lambda: served.query(waiting)[0][0] == 0, "the inbox is empty")
