"""A lead from research to draft on each wire: every call in aimock's journal is one usage row, and the other way round."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from leadagent.leads.knowledge import add_document_to_knowledge_base
from leadagent.leads.knowledge.indexing import index_document
from leadagent.leads.models import EmailDraft, Lead, RunStatus, Step, StepName, StepStatus, WorkflowRun
from leadagent.leads.running.workflow import start_run
from leadagent.tenants.models import Organization
from tests.wire.models import CHAT_MODELS, EMBEDDING_MODELS
from tests.wire.provider import CHAT_PATHS, Aimock, Call
from tests.wire.runs import perform_all, whole_workflow
from usage.models import AIUsage

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]


def test_every_call_of_a_run_is_in_both_books(tenant: Organization, lead: Lead, mock: Aimock, rows: Rows) -> None:
    embeds = mock.provider in EMBEDDING_MODELS
    document = add_document_to_knowledge_base(tenant, "Prices", "Licences cost ten dollars a month.")
    if embeds:
        # The same vector for question and passage, so that it is found.
        mock.answers({"match": {"inputText": "icences"}, "response": {"embedding": [1.0, *[0.0] * 1535]}})
        index_document(document.pk)
    indexed = len(mock.calls)
    mock.answers(*whole_workflow(mock.provider))

    run = start_run(lead)
    perform_all(run)

    assert run.status == RunStatus.AWAITING_REVIEW, run.error_code
    assert_both_books_agree(mock.calls, rows())
    booked = [row for row in rows() if row.run_id == run.pk]
    assert [(row.operation, row.provider_request_id) for row in booked if row.operation != "embedding"] == [
        ("research", "research-1"),
        ("research", "research-2"),
        ("research", "research-3"),
        ("qualification", "verdict-1"),
        ("email_generation", "email-1"),
    ]
    assert {row.lead_id for row in booked} == {lead.pk}
    assert [row.operation for row in booked].count("embedding") == (1 if embeds else 0)
    assert len(mock.calls) == indexed + len(booked)
    assert_what_it_found(run, searched=embeds)


def assert_both_books_agree(journal: list[Call], booked: list[AIUsage]) -> None:
    """Each call is one row, in the same order: the same answer, model, figures and outcome."""
    assert len(booked) == len(journal) == len({row.id for row in booked})
    for call, row in zip(journal, booked, strict=True):
        assert row.provider_request_id == (call.answer_id or call.request_id)
        assert (row.model, row.http_status, row.success) == (call.body["model"], 200, True)
        told = (call.told.get("prompt_tokens", 0), call.told.get("completion_tokens", 0))
        assert (row.input_tokens, row.output_tokens) == told
        # aimock tells no tokens for embeddings.
        assert call.path.endswith("/embeddings") or row.cost


def assert_what_it_found(run: WorkflowRun, *, searched: bool) -> None:
    steps = {step.name: step for step in Step.objects.filter(run=run)}
    assert {step.status for step in steps.values()} == {StepStatus.SUCCEEDED}
    assert {step.attempts for step in steps.values()} == {1}
    result = steps[StepName.RESEARCH].result or {}
    assert [call["tool"] for call in result["tool_calls"]] == ["crm_search", "query_knowledge_base", "fetch_url"]
    answers = {call["tool"]: call["answer"] for call in result["tool_calls"]}
    assert ("ten dollars" in answers["query_knowledge_base"]) is searched
    assert "not" in answers["fetch_url"], "an address that no search has found is not opened"
    assert run.qualification is not None
    assert (run.qualification.category, run.qualification.confidence) == ("QUALIFIED", 0.93)
    assert EmailDraft.objects.get(run=run).subject == "400 licences for Gears Ltd"


def test_the_key_is_in_its_header_and_nowhere_else(lead: Lead, mock: Aimock) -> None:
    mock.answers(*whole_workflow(mock.provider))
    perform_all(start_run(lead))
    journal = mock.calls
    assert len(journal) == 5
    for call in journal:
        assert call.path == CHAT_PATHS[mock.provider]
        # aimock blackens what it knows to carry keys; had it been a wrong key, it would have refused.
        carrying = {name for name, value in call.headers.items() if value == "[REDACTED]"}
        assert carrying == {"x-api-key" if mock.provider == "anthropic" else "authorization"}
        assert mock.key[-8:] not in json.dumps([call.headers, call.body])
        assert "held-by-leadagent" not in json.dumps([call.headers, call.body])
        assert "cookie" not in call.headers
        assert ("anthropic-version" in call.headers) is (mock.provider == "anthropic")
        named = (call.headers.get("http-referer"), call.headers.get("x-title"))
        assert named == (("https://acme.test", "Acme") if mock.provider == "openrouter" else (None, None))


def test_tools_and_typed_answers_are_asked_for_as_each_wire_has_it(lead: Lead, mock: Aimock) -> None:
    mock.answers(*whole_workflow(mock.provider))
    perform_all(start_run(lead))
    first, second, third, verdict, email = mock.calls
    offered = {tool["function"]["name"] for tool in first.body["tools"]}
    assert {"crm_search", "fetch_url", "tech_stack_analysis"} <= offered
    # Each turn carries the answers of the tools before, under the ids that were asked with.
    assert answered(second) == ["crm", "knowledge"]
    assert answered(third) == ["crm", "knowledge", "fetch"]
    for typed, fields in ((verdict, {"category", "reason", "confidence", "reasons"}), (email, {"subject", "body"})):
        schema = schema_in(mock.provider, typed)
        assert schema is None or set(schema["properties"]) == fields
    assert {call.body["model"] for call in mock.calls} == {CHAT_MODELS[mock.provider]}


def schema_in(provider: str, call: Call) -> dict[str, Any] | None:
    """The schema of the typed answer that was asked for. aimock's journal keeps none of Anthropic's."""
    match provider:
        case "openai":
            (tool,) = call.body["tools"]
            assert tool["function"]["name"] == "final_result"
            return dict(tool["function"]["parameters"])
        case "openrouter":
            return dict(call.body["response_format"]["json_schema"]["schema"])
        case _:
            assert not call.body.get("tools")
            return None


def answered(call: Call) -> list[str]:
    messages: list[dict[str, Any]] = list(call.body["messages"])
    return [message["tool_call_id"] for message in messages if message["role"] == "tool"]
