"""A model that is limited, down or gone at the provider, on the real processes: the next one goes on, and is counted."""

from hashlib import sha256

import pytest

from tests.flows.test_workflow import LEAD, SETTINGS
from tests.serving import Served, Visitor

CHAT = {
    "openrouter": ("anthropic/claude-sonnet-5.5", "anthropic/claude-haiku-5.5"),
    "openai": ("gpt-4o", "gpt-5-mini"),
    "anthropic": ("claude-sonnet-5-5", "claude-haiku-5-5"),
}
PREFIXES = {"openrouter": "sk-or-v1-", "openai": "sk-proj-", "anthropic": "sk-ant-api03-"}
OPERATIONS = ("research", "qualification", "email_generation")


def configure(admin: Visitor, provider: str, key: str, **more: str) -> None:
    first, second = CHAT[provider]
    answer = admin.submit(
        SETTINGS,
        provider=provider,
        api_key=key,
        chat_model=first,
        embedding_provider="",
        usage_tracking="on",
        **{f"further_{operation}_1": second for operation in OPERATIONS},
        **more,
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("provider", "trouble", "code", "status", "attempts"),
    [
        ("openrouter", "overloaded", "overloaded", 503, 1),
        ("openrouter", "gone", "model_not_found", 404, 1),
        # Waited for once, then left.
        ("openrouter", "ratelimit1", "rate_limited", 429, 2),
        ("anthropic", "overloaded", "overloaded", 529, 1),
        ("openai", "servererror", "overloaded", 500, 1),
    ],
)
def test_a_run_goes_on_with_the_next_model(
    served: Served, admin: Visitor, provider: str, trouble: str, code: str, status: int, attempts: int
) -> None:
    first, second = CHAT[provider]
    spared = "mini" if provider == "openai" else "haiku"
    key = f"{PREFIXES[provider]}flow-{trouble}-spare{spared}-{provider}0000"
    configure(admin, provider, key)
    lead = admin.hand_in_lead(**LEAD)

    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")

    assert run["status"] == "awaiting_review", run
    assert [(step["model"], step["meant_model"], step["attempts"]) for step in run["steps"]] == [
        (second, first, attempts)
    ] * 3
    assert all(first in step["model_reason"] for step in run["steps"])
    rows = served.usage_rows(run["id"])
    arrived = served.arrived(run["id"])
    # Each exchange is one row under the model that was really asked, on the one key.
    assert [(row["model"], row["http_status"]) for row in rows] == [
        (request["model"], request["status"]) for request in arrived
    ]
    assert {row["key_owner"] for row in rows} == {"customer"}
    assert {request["key_sha256"] for request in arrived} == {sha256(key.encode()).hexdigest()}
    failed = [row for row in rows if not row["success"]]
    assert {(row["model"], row["error_code"], row["http_status"]) for row in failed} == {(first, code, status)}
    assert len(failed) == 3 * attempts
    page = admin.get(f"/o/acme/leads/{lead['id']}/").text
    assert page.count(f"Done with {second} in place of {first}, because ") == 3


def test_without_a_list_a_model_that_is_down_ends_the_run_as_before(served: Served, admin: Visitor) -> None:
    key = "sk-or-v1-flow-gone-sparehaiku-nolist0000"
    first, _ = CHAT["openrouter"]
    fields = {"provider": "openrouter", "api_key": key, "chat_model": first, "embedding_provider": ""}
    assert admin.submit(SETTINGS, **fields, usage_tracking="on").status_code == 200
    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")
    assert (run["status"], run["error_code"]) == ("paused", "model_not_found")
    assert {row["model"] for row in served.usage_rows(run["id"])} == {first}
    assert {request["model"] for request in served.arrived(run["id"])} == {first}


def test_a_key_that_is_refused_on_the_way_pauses_the_run(served: Served, admin: Visitor) -> None:
    key = "sk-or-v1-flow-revoked1-models-111111111111"
    configure(admin, "openrouter", key)
    lead = admin.hand_in_lead(**LEAD)
    run = admin.wait_for_run(lead["id"], "awaiting_review", "failed", "paused")
    assert (run["status"], run["error_code"]) == ("paused", "invalid_key")
    assert {row["model"] for row in served.usage_rows(run["id"])} == {CHAT["openrouter"][0]}
