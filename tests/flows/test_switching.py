"""Other models and other providers from one lead to the next, on the real processes: which key and model arrive."""

from hashlib import sha256
from typing import Any

from tests.flows.test_workflow import LEAD, SETTINGS
from tests.serving import Served, Visitor

OPENROUTER = "sk-or-v1-switch-openrouter-1111111111111111"
ANTHROPIC = "sk-ant-api03-switch-anthropic-2222222222222222"


def save(admin: Visitor, **fields: str) -> None:
    """Save the configuration; without `api_key` the stored one stays."""
    answer = admin.submit(SETTINGS, embedding_provider="", usage_tracking="on", **fields)
    assert answer.status_code == 200, answer.text
    assert "The AI configuration is saved." in answer.text


def answered(served: Served, admin: Visitor) -> tuple[set[tuple[str, str, str]], list[dict[str, Any]]]:
    """Hand in a lead: (provider, model, whose key) of its calls, and the requests that arrived for them."""
    run = admin.wait_for_run(admin.hand_in_lead(**LEAD)["id"], "awaiting_review", "failed", "paused")
    assert run["status"] == "awaiting_review", run
    rows = served.usage_rows(run["id"])
    arrived = served.arrived(run["id"])
    assert len(rows) == len(arrived) >= 3
    calls = {(row["provider"], row["model"], row["key_owner"]) for row in rows}
    return calls, arrived


def assert_answered(served: Served, admin: Visitor, provider: str, model: str, key: str) -> None:
    """The next lead is answered by this model alone, and this key alone arrives."""
    calls, arrived = answered(served, admin)
    assert calls == {(provider, model, "customer")}
    assert {request["key_sha256"] for request in arrived} == {sha256(key.encode()).hexdigest()}


def test_switch_between_models(served: Served, admin: Visitor) -> None:
    for model, key in (("anthropic/claude-3.5-sonnet", {"api_key": OPENROUTER}), ("openai/gpt-4-turbo", {})):
        save(admin, provider="openrouter", chat_model=model, **key)
        assert_answered(served, admin, "openrouter", model, OPENROUTER)


def test_switch_between_providers(served: Served, admin: Visitor) -> None:
    """Back and forth: each provider gets its own key, and the one left keeps its key for the way back."""
    save(admin, provider="openrouter", chat_model="anthropic/claude-3.5-sonnet", api_key=OPENROUTER)
    save(admin, provider="anthropic", chat_model="claude-haiku-5-5", api_key=ANTHROPIC)
    assert_answered(served, admin, "anthropic", "claude-haiku-5-5", ANTHROPIC)
    save(admin, provider="openrouter", chat_model="meta-llama/llama-3-70b-instruct")
    assert_answered(served, admin, "openrouter", "meta-llama/llama-3-70b-instruct", OPENROUTER)


def test_openrouter_is_told_the_site(served: Served, admin: Visitor) -> None:
    """HTTP-Referer and X-Title, as OpenRouter's ranking wants them, on every request of a run."""
    save(
        admin,
        provider="openrouter",
        chat_model="anthropic/claude-3.5-sonnet",
        api_key=OPENROUTER,
        openrouter_site_url="https://acme.example/leads",
        openrouter_site_name="Acme leads",
    )
    _, arrived = answered(served, admin)
    told = {(request["http_referer"], request["x_title"]) for request in arrived}
    assert told == {("https://acme.example/leads", "Acme leads")}
