"""A lead to a draft through each provider's wire, on the real processes: whose key arrives, what is recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from tests.serving import Served, Visitor, until

LEAD = {
    "name": "Rosa Diaz",
    "email": "rosa@contoso.test",
    "company": "Contoso",
    "message": "We are a team of 80 and would like to buy 40 seats this quarter. Can you send a quote?",
}
SETTINGS = "/o/acme/settings/ai/"


@dataclass(frozen=True)
class Wire:
    name: str
    provider: str
    chat_model: str
    key: str
    embedding_provider: str = ""


WIRES = [
    Wire(
        "openrouter-key-and-claude-3.5-sonnet",
        "openrouter",
        "anthropic/claude-3.5-sonnet",
        "sk-or-v1-flow-openrouter-1111111111111111",
        "openrouter",
    ),
    Wire("openai-direct-key", "openai", "gpt-4o-mini", "sk-proj-flow-openai-2222222222222222", "openai"),
    Wire("anthropic-direct-key", "anthropic", "claude-haiku-5-5", "sk-ant-api03-flow-anthropic-3333333333333333"),
    Wire(
        "openrouter-key-and-gpt-4-turbo",
        "openrouter",
        "openai/gpt-4-turbo",
        "sk-or-v1-flow-openrouter-6666666666666666",
        "openrouter",
    ),
    Wire(
        "openrouter-key-and-llama-3",
        "openrouter",
        "meta-llama/llama-3-70b-instruct",
        "sk-or-v1-flow-openrouter-7777777777777777",
        "openrouter",
    ),
]


def configure(admin: Visitor, wire: Wire, key: str) -> None:
    answer = admin.submit(
        SETTINGS,
        provider=wire.provider,
        api_key=key,
        chat_model=wire.chat_model,
        embedding_provider=wire.embedding_provider,
        usage_tracking="on",
    )
    assert answer.status_code == 200, answer.text
    assert key not in answer.text
    assert key[-4:] in answer.text


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_full_workflow(served: Served, admin: Visitor, wire: Wire) -> None:
    configure(admin, wire, wire.key)

    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")

    assert run["status"] == "awaiting_review", run
    assert [(step["status"], step["attempts"]) for step in run["steps"]] == [("succeeded", 1)] * 3
    assert run["qualification"]["category"] == "QUALIFIED"
    rows = served.usage_rows(run["id"])
    arrived = served.arrived(run["id"])
    assert len(rows) == len(arrived) >= 3
    assert {request["key_sha256"] for request in arrived} == {sha256(wire.key.encode()).hexdigest()}
    assert {request["wire"] for request in arrived} == {wire.provider}
    assert {row["operation"] for row in rows} == {"research", "qualification", "email_generation"}
    assert {(row["provider"], row["model"], row["key_owner"]) for row in rows} == {
        (wire.provider, wire.chat_model, "customer")
    }
    assert {str(row["lead_id"]) for row in rows} == {lead["id"]}
    assert all(row["success"] and row["total_tokens"] > 0 for row in rows)
    cost = "actual_cost" if wire.provider == "openrouter" else "estimated_cost"
    assert all(row[cost] > 0 for row in rows)
    for row, request in zip(rows, arrived, strict=True):
        assert row["http_status"] == request["status"] == 200


def test_full_workflow_with_the_platform_key_counts_as_free_requests(served: Served, admin: Visitor) -> None:
    organization = "SELECT id FROM tenants_organization WHERE slug = 'acme'"
    counted = f"SELECT coalesce(sum(used), 0) FROM usage_freetiermonth WHERE organization_id = ({organization})"
    used_before = served.query(counted)[0][0]
    assert admin.submit(SETTINGS, provider="platform_default", usage_tracking="on").status_code == 200

    run = admin.wait_for_run(admin.hand_in_lead(**LEAD)["id"], "awaiting_review", "failed", "paused")

    assert run["status"] == "awaiting_review", run
    rows = served.usage_rows(run["id"])
    assert {row["key_owner"] for row in rows} == {"platform"}
    assert served.query(counted)[0][0] - used_before == len(rows)
    stored_keys = {sha256(wire.key.encode()).hexdigest() for wire in WIRES}
    arrived = served.arrived(run["id"])
    assert len(arrived) == len(rows)
    assert stored_keys.isdisjoint(request["key_sha256"] for request in arrived)


def test_a_refused_key_pauses_the_run_and_a_new_one_resumes_it_without_repeating_a_step(
    served: Served, admin: Visitor
) -> None:
    wire = WIRES[0]
    # Good when it is tested and saved, revoked at the provider after its first answer.
    refused = "sk-or-v1-flow-revoked1-4444444444444444"
    configure(admin, wire, refused)
    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "paused", "failed", "awaiting_review")
    assert (run["status"], run["error_code"]) == ("paused", "invalid_key")
    assert "openrouter.ai/keys" in run["error_message"]
    page = admin.get(f"/o/acme/leads/{lead['id']}/").text
    assert "OpenRouter refused the key" in page
    until(lambda: "Key refused" in admin.get(SETTINGS).text, "the settings page shows the refusal")
    *answered, failed = served.usage_rows(run["id"])
    assert [row["success"] for row in answered] == [True]
    assert (failed["success"], failed["http_status"], failed["error_code"]) == (False, 401, "invalid_key")

    mended = "sk-or-v1-flow-mended-5555555555555555"
    configure(admin, wire, mended)
    admin.post(f"/o/acme/runs/{run['id']}/resume/")
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed")

    assert run["status"] == "awaiting_review", run
    rows = served.usage_rows(run["id"])
    arrived = [(request["key_sha256"], request["status"]) for request in served.arrived(run["id"])]
    first, second = (sha256(key.encode()).hexdigest() for key in (refused, mended))
    assert arrived == [(first, 200), (first, 401)] + [(second, 200)] * (len(rows) - 2)
    assert [row["success"] for row in rows] == [True, False] + [True] * (len(rows) - 2)


def test_every_request_that_the_providers_saw_is_a_usage_row(served: Served, admin: Visitor) -> None:
    """The independent count: over everything that the journeys of this session have sent."""
    started = "SELECT count(*) FROM usage_usageinbox"
    until(lambda: served.query(started)[0][0] == 0, "the inbox is empty")
    # The demo's history is made up, has never been sent, and ends before the product was served.
    first = min(datetime.fromisoformat(each["time"]) for each in served.recorded()) - timedelta(minutes=1)
    counted = "SELECT count(*), count(DISTINCT id) FROM usage_aiusage WHERE created_at >= %s"
    rows = served.query(counted, first)
    sent = rows[0][0]
    assert sent == len(served.recorded()) > 0
    sums = served.query(
        "SELECT (SELECT sum(coalesce(actual_cost, estimated_cost)) FROM usage_aiusage),"
        " (SELECT sum(actual_cost + estimated_cost) FROM usage_usagedaily)"
    )
    assert sums[0][0] == sums[0][1]


def test_no_key_is_in_any_log_mail_or_table(served: Served) -> None:
    keys = [wire.key for wire in WIRES]
    for name, text in served.texts_on_disk().items():
        for key in keys:
            assert key not in text, f"{name} holds a key"
            assert key[:-4] not in text, f"{name} holds a part of a key"
    tables = [row[0] for row in served.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for table in tables:
        for key in keys:
            found = served.query(f'SELECT count(*) FROM "{table}" AS r WHERE r::text LIKE %s', f"%{key[:-4]}%")
            assert found[0][0] == 0, f"the table {table} holds a key"
