"""One exchange with a provider, one usage row that tells the truth about it."""

import asyncio
import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pytest_django import Settings

from byok.config.saving import save_ai_config
from byok.errors import AIError, translated
from byok.models import CredentialStatus, ProviderCredential
from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.conftest import Rows, Tenant
from tests.byok.fake_provider import (
    CHAT,
    EMBEDDINGS,
    MODELS,
    OPENAI_CHAT,
    OPENROUTER_CHAT,
    STREAM,
    Body,
    FakeProvider,
    chat,
    chat_async,
    create,
    streamed,
)
from tests.byok.keys import KEYS
from tests.byok.told_figures import FIGURES
from tests.usage.one_connection import lead_over_test_connection, put_postgresql_away
from usage.models import AIUsage, DeadLetter, UsageInbox

pytestmark = pytest.mark.django_db

WIRES = pytest.mark.parametrize("provider", KEYS)
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


def decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def assert_figures(row: AIUsage, provider: str) -> None:
    expected = FIGURES[provider]
    assert (
        row.input_tokens,
        row.cached_input_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
    ) == expected.tokens
    assert row.total_tokens == sum(expected.tokens[:4])
    assert (row.actual_cost, row.estimated_cost) == (decimal(expected.actual), decimal(expected.estimated))
    assert row.provider_request_id == expected.request_id
    assert row.price_version.startswith("genai-prices ")


def run(model: TenantModel, way: str, **more: Any) -> Any:
    """One call, streamed to its end where `stream` says so; an `AIError` where it fails."""

    async def awaited() -> Any:
        answer = await chat_async(model, **more)
        return [event async for event in answer] if more.get("stream") else answer

    with translated(model.provider):
        if way == "async":
            return asyncio.run(awaited())
        answer = chat(model, **more)
        return list(answer) if more.get("stream") else answer


def failed(model: TenantModel, way: str, **more: Any) -> AIError:
    with pytest.raises(AIError) as raised:
        run(model, way, **more)
    return raised.value


@WIRES
@WAYS
@pytest.mark.parametrize("stream", [False, True])
def test_success(
    organization: Organization, tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, way: str, stream: bool
) -> None:
    if stream:
        fake.answer = lambda request: streamed(STREAM[provider])
    else:
        fake.answers(200, CHAT[provider])
    lead, workflow = uuid4(), uuid4()
    model = tenant(provider, operation="email_generation", lead=lead, run=workflow)
    run(model, way, **({"stream": True} if stream else {}))
    (row,) = rows()
    assert_figures(row, provider)
    assert (row.organization_id, row.provider, row.model) == (organization.pk, provider, MODELS[provider])
    assert (row.operation, row.lead_id, row.run_id) == ("email_generation", lead, workflow)
    credential = ProviderCredential.objects.get()
    assert (row.key_owner, row.credential_id) == ("customer", credential.pk)
    assert (row.success, row.http_status, row.error_code, row.state) == (True, 200, "", "final")
    assert row.streamed is stream
    assert row.duration_ms is not None
    assert 0 <= row.duration_ms < 60_000
    assert credential.status == CredentialStatus.OK
    assert credential.last_used_at is not None


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@WIRES
def test_figures_are_read_however_the_stream_is_chopped(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, size: int, newline: bytes
) -> None:
    whole = b"".join(STREAM[provider]).replace(b"\n", newline)
    chunks = [whole[at : at + size] for at in range(0, len(whole), size)]
    fake.answer = lambda request: streamed(chunks)
    run(tenant(provider), "sync", stream=True)
    (row,) = rows()
    assert_figures(row, provider)
    assert row.success


@WAYS
def test_embeddings(tenant: Tenant, fake: FakeProvider, rows: Rows, way: str) -> None:
    fake.answers(200, EMBEDDINGS)
    model = tenant("openai", "embedding", operation="embedding")
    client: Any = model.client() if way == "sync" else model.async_client()
    made = client.embeddings.create(model=model.model_id, input=["Hello"], encoding_format="float")
    if way == "async":

        async def awaited() -> None:
            await made

        asyncio.run(awaited())
    (row,) = rows()
    # 8 x 0.02 per million
    assert (row.model, row.input_tokens, row.cost) == ("text-embedding-3-small", 8, Decimal("0.00000016"))
    assert (row.operation, row.success) == ("embedding", True)


@WIRES
@WAYS
@pytest.mark.parametrize(
    ("status", "code"), [(400, "bad_request"), (401, "invalid_key"), (429, "rate_limited"), (503, "overloaded")]
)
def test_refusals_cost_nothing(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, way: str, status: int, code: str
) -> None:
    fake.answers(status, {"error": {"message": f"No, {KEYS[provider]}"}}, request_id="req-7", x_request_id="req-7")
    assert failed(tenant(provider), way).code == code
    (row,) = rows()
    assert (row.success, row.http_status, row.error_code, row.cost) == (False, status, code, Decimal(0))
    assert row.error_message.startswith("No, ")
    assert KEYS[provider] not in row.error_message
    assert row.provider_request_id == "req-7"


@WIRES
@WAYS
@pytest.mark.parametrize(
    ("failure", "code", "cost"),
    [
        (httpx2.ConnectError, "unreachable", Decimal(0)),
        (httpx2.ConnectTimeout, "timeout", Decimal(0)),
        (httpx2.PoolTimeout, "timeout", Decimal(0)),
        # It may have been billed: unknown, never zero.
        (httpx2.ReadTimeout, "timeout", None),
        (httpx2.ReadError, "unreachable", None),
        (httpx2.RemoteProtocolError, "unreachable", None),
        (httpx2.WriteTimeout, "timeout", None),
        (RuntimeError, "unreachable", None),
    ],
)
def test_no_answer(
    tenant: Tenant,
    fake: FakeProvider,
    rows: Rows,
    provider: str,
    way: str,
    failure: type[Exception],
    code: str,
    cost: Decimal | None,
) -> None:
    fake.answer = lambda request: failure("failed")
    assert failed(tenant(provider), way).code == code
    (row,) = rows()
    assert (row.success, row.http_status, row.error_code, row.cost) == (False, None, code, cost)
    assert row.total_tokens == 0


@WIRES
@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[]", b'"text"', b"\xff\xfe", b"null"])
def test_bad_json_has_an_unknown_cost(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, body: bytes
) -> None:
    fake.answers(200, body)
    # SDKs take some of these for an answer; the row is what counts.
    with suppress(Exception):
        chat(tenant(provider))
    (row,) = rows()
    assert (row.success, row.error_code, row.cost) == (False, "bad_response", None)


@pytest.mark.parametrize(
    "usage",
    [None, [], {}, {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": 10**40, "completion_tokens": 1}],
)
def test_strange_usage_never_breaks_the_call(tenant: Tenant, fake: FakeProvider, rows: Rows, usage: object) -> None:
    fake.answers(200, OPENAI_CHAT | {"usage": usage, "id": "a\x00b", "model": "\ud800"})
    model = tenant("openai")
    http = model.client()._client
    answer = http.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-4o-mini"})
    assert answer.status_code == 200
    assert [row.cost for row in rows()] in ([None], []), "unknown, or put aside with the reason"
    assert DeadLetter.objects.count() + AIUsage.objects.count() == 1


def test_an_unknown_model_has_an_unknown_cost(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    fake.answers(200, OPENAI_CHAT | {"model": "imaginary-1"})
    model = tenant("openai")
    client: Any = model.client()
    client.chat.completions.create(model="imaginary-1", messages=[])
    (row,) = rows()
    assert (row.model, row.cost, row.success, row.total_tokens) == ("imaginary-1", None, True, 1500)


def test_openrouters_fee_alone_is_not_taken_for_the_cost(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    """Billed upstream too, and not told how much: no actual cost, only the list price as an estimate."""
    fake.answers(200, OPENROUTER_CHAT | {"usage": OPENROUTER_CHAT["usage"] | {"cost": 0, "is_byok": True}})
    chat(tenant("openrouter"))
    (row,) = rows()
    assert row.actual_cost is None
    assert row.estimated_cost == Decimal("0.00042")
    assert row.total_tokens == 1500


def test_an_error_inside_a_200(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    fake.answers(200, {"id": "gen-1", "error": {"code": 402, "message": "Insufficient credits"}})
    # The SDK may take it for an answer; the row is what counts.
    with suppress(Exception):
        chat(tenant("openrouter"))
    (row,) = rows()
    assert (row.success, row.http_status, row.error_code, row.cost) == (False, 200, "no_credit", None)
    assert row.error_message == "Insufficient credits"
    assert ProviderCredential.objects.get().status == CredentialStatus.NO_CREDIT


# --- Streams that do not end as they should ---


@WIRES
@WAYS
def test_a_stream_that_is_reset_has_an_unknown_cost(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, way: str
) -> None:
    fake.answer = lambda request: streamed(STREAM[provider][:3], then=httpx2.ReadError("reset"))
    assert failed(tenant(provider), way, stream=True).code == "unreachable"
    (row,) = rows()
    assert (row.success, row.http_status, row.error_code, row.cost) == (False, 200, "unreachable", None)


@WIRES
@WAYS
def test_a_stream_that_ends_before_its_figures_is_cut(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, way: str
) -> None:
    fake.answer = lambda request: streamed(STREAM[provider][:3])
    run(tenant(provider), way, stream=True)
    (row,) = rows()
    assert (row.success, row.http_status, row.error_code, row.cost) == (False, 200, "stream_cut", None)


@WIRES
@pytest.mark.parametrize("way", ["close", "with", "async close"])
def test_a_stream_that_the_caller_leaves(
    tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str, way: str
) -> None:
    body = Body(STREAM[provider])
    fake.answer = lambda request: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
    model = tenant(provider)

    async def leave() -> None:
        answer = await create(model.async_client(), model, stream=True)
        async for _ in answer:
            break
        await answer.close()

    if way == "async close":
        asyncio.run(leave())
    elif way == "close":
        answer = chat(model, stream=True)
        next(iter(answer))
        answer.close()
        answer.close()
    else:
        with chat(model, stream=True) as answer:
            next(iter(answer))
    assert body.closed
    (row,) = rows()
    assert (row.success, row.error_code, row.cost) == (False, "stream_cut", None)
    if provider == "anthropic":
        assert row.input_tokens == 100


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_an_error_event_in_a_stream(tenant: Tenant, fake: FakeProvider, rows: Rows, provider: str) -> None:
    error = b'data: {"error": {"code": 502, "message": "upstream failed"}}\n\n'
    fake.answer = lambda request: streamed([*STREAM[provider][:3], error])
    failed(tenant(provider), "sync", stream=True)
    (row,) = rows()
    assert (row.success, row.error_code, row.error_message, row.cost) == (False, "overloaded", "upstream failed", None)


def test_a_cancelled_call_leaves_its_row(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    fake.delay = 30
    model = tenant("openai")

    async def cancelled() -> None:
        task = asyncio.create_task(chat_async(model))
        while not fake.sent:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    (row,) = rows()
    assert (row.success, row.error_code, row.cost) == (False, "cancelled", None)


# --- Asking for the figures ---


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": True}])
def test_a_stream_is_asked_for_its_usage(
    tenant: Tenant, fake: FakeProvider, provider: str, options: dict[str, bool] | None
) -> None:
    fake.answer = lambda request: streamed(STREAM[provider])
    more = {} if options is None else {"stream_options": options}
    run(tenant(provider), "sync", stream=True, temperature=0.25, **more)
    assert fake.body["stream_options"] == {"include_usage": True}
    assert fake.body["temperature"] == 0.25
    assert int(fake.sent[-1].headers["content-length"]) == len(fake.sent[-1].content)


def test_anthropic_and_plain_calls_are_sent_as_they_are(tenant: Tenant, fake: FakeProvider) -> None:
    fake.answer = lambda request: streamed(STREAM["anthropic"])
    run(tenant("anthropic"), "sync", stream=True)
    assert "stream_options" not in fake.body
    fake.answers(200, OPENAI_CHAT)
    run(tenant("openai"), "sync")
    assert "stream_options" not in fake.body


# --- Details, retries, and a database that is away ---


def test_without_tracking_rows_keep_tokens_and_cost_only(
    organization: Organization, tenant: Tenant, fake: FakeProvider, rows: Rows
) -> None:
    tenant("openai")
    save_ai_config(organization, provider="openai", chat_model="gpt-4o-mini", usage_tracking=False)
    model = get_model_for_tenant(organization, "chat", operation="research", lead=uuid4(), run=uuid4())
    fake.answers(200, OPENAI_CHAT)
    run(model, "sync")
    fake.answers(400, {"error": {"message": "about Jo Bloggs"}})
    failed(model, "sync")
    good, bad = rows()
    assert_figures(good, "openai")
    for row in (good, bad):
        assert (row.lead_id, row.run_id, row.error_message) == (None, None, "")
    assert bad.error_code == "bad_request"
    assert "Jo Bloggs" not in json.dumps(list(UsageInbox.objects.values_list("payload", flat=True)))


def test_each_retry_is_a_row(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    answers = iter([httpx2.Response(503, headers={"retry-after-ms": "1"}), httpx2.Response(200, json=OPENAI_CHAT)])
    fake.answer = lambda request: next(answers)
    model = tenant("openai")
    create(model.client().with_options(max_retries=2), model)
    assert [(row.success, row.http_status) for row in rows()] == [(False, 503), (True, 200)]


def test_each_step_of_an_agent_is_a_row(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    from pydantic_ai import Agent

    call = {
        "role": "assistant",
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
    }
    asked = OPENAI_CHAT | {"choices": [{"index": 0, "message": call, "finish_reason": "tool_calls"}]}
    answers = iter([asked, OPENAI_CHAT])
    fake.answer = lambda request: httpx2.Response(200, json=next(answers))
    agent = Agent(tenant("openai").model())

    @agent.tool_plain
    def look() -> str:
        return "gears"

    assert asyncio.run(agent.run("Hello")).output == "Hello"
    assert [row.success for row in rows()] == [True, True]


def test_a_started_call_is_noted_before_it_is_sent(tenant: Tenant, fake: FakeProvider) -> None:
    seen: list[str] = []

    def look(request: httpx2.Request) -> httpx2.Response:
        seen.extend(UsageInbox.objects.values_list("kind", flat=True))
        return httpx2.Response(200, json=OPENAI_CHAT)

    fake.answer = look
    chat(tenant("openai"))
    assert seen == ["started"]
    assert list(UsageInbox.objects.order_by("seq").values_list("kind", flat=True)) == ["started", "finished"]
    assert len(set(UsageInbox.objects.values_list("event_id", flat=True))) == 1


@WAYS
def test_with_postgresql_away_the_call_goes_on_and_its_row_comes_later(
    tenant: Tenant,
    fake: FakeProvider,
    rows: Rows,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    fake.answers(200, OPENAI_CHAT)
    model = tenant("openai")
    put_postgresql_away(monkeypatch)
    run(model, way)
    assert len((Path(settings.USAGE_SPOOL_DIR) / "usage.jsonl").read_text().splitlines()) == 2
    lead_over_test_connection(monkeypatch)
    (row,) = rows()
    assert_figures(row, "openai")


def test_the_keys_state_follows_the_traffic(tenant: Tenant, fake: FakeProvider) -> None:
    model = tenant("openai")
    fake.answers(401, {"error": {"message": "no"}})
    failed(model, "sync")
    credential = ProviderCredential.objects.get()
    assert credential.status == CredentialStatus.REJECTED
    assert "OpenAI refused the key" in credential.status_message
    # A server's trouble says nothing about the key.
    fake.answers(503, {})
    failed(model, "sync")
    credential.refresh_from_db()
    assert credential.status == CredentialStatus.REJECTED
    fake.answers(200, OPENAI_CHAT)
    run(get_model_for_tenant(credential.organization, "chat", operation="x"), "sync")
    credential.refresh_from_db()
    assert (credential.status, credential.status_message) == (CredentialStatus.OK, "")
