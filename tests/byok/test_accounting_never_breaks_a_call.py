"""Whatever an answer or a caller does: the call is not harmed by its accounting, and leaves exactly one row."""

import asyncio
import json
import threading
from collections.abc import Callable
from decimal import Decimal

import httpx2
import pytest

from byok.errors import AIError, translated
from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import ANTHROPIC_CHAT, Body, FakeProvider, chat
from usage.models import AIUsage, UsageInbox
from usage.recording import recorder
from usage.spending import quota

pytestmark = pytest.mark.django_db

Rows = Callable[[], list[AIUsage]]


def test_an_answer_too_deep_to_read_is_passed_on_and_its_connection_closed(
    tenant: Tenant, fake: FakeProvider, rows: Rows
) -> None:
    body = Body([b"[" * 200_000, b"]" * 200_000])
    fake.answer = lambda request: httpx2.Response(200, stream=body, headers={"content-type": "application/json"})
    with pytest.raises(Exception):  # noqa: B017, PT011 - the SDK's own reading of it
        chat(tenant("openai"))
    [row] = rows()
    assert (row.success, row.error_code, row.cost) == (False, "bad_response", None)
    assert body.closed


def test_a_stream_with_odd_figures_reaches_the_caller_whole(tenant: Tenant, fake: FakeProvider, rows: Rows) -> None:
    odd = ANTHROPIC_CHAT | {"content": [], "usage": [1, 2]}

    events = [
        b"event: message_start\ndata: %s\n\n" % json.dumps({"type": "message_start", "message": odd}).encode(),
        b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
    ]
    body = Body(events)
    fake.answer = lambda request: httpx2.Response(200, stream=body, headers={"content-type": "text/event-stream"})
    model = tenant("anthropic")
    http = model.client()._client
    with http.stream("POST", "https://api.anthropic.com/v1/messages", json={"model": "x", "stream": True}) as answer:
        assert b"".join(answer.iter_bytes()) == b"".join(events)
    [row] = rows()
    assert row.cost is None
    assert body.closed


@pytest.mark.parametrize("options", [[], "yes", 7, None])
def test_odd_stream_options_are_replaced_not_stumbled_over(
    tenant: Tenant, fake: FakeProvider, rows: Rows, options: object
) -> None:
    body = {"model": "gpt-4o-mini", "messages": [], "stream": True, "stream_options": options}
    tenant("openai").client()._client.post("https://api.openai.com/v1/chat/completions", json=body)
    assert len(rows()) == 1


@pytest.mark.parametrize("moment", ["reserve", "begin"])
def test_a_call_cancelled_before_it_left_costs_and_leaves_nothing_open(
    organization: Organization, fake: FakeProvider, rows: Rows, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The free request is given back, and no start stays without its end."""
    entered, go_on = threading.Event(), threading.Event()

    def pausing(work: Callable[..., object]) -> Callable[..., object]:
        def paused(*arguments: object) -> object:
            entered.set()
            go_on.wait(10)
            return work(*arguments)

        return paused

    if moment == "reserve":
        monkeypatch.setattr(quota, "reserve_free_request", pausing(quota.reserve_free_request))
    else:
        monkeypatch.setattr(recorder, "begin_ai_usage", pausing(recorder.begin_ai_usage))
    model = get_model_for_tenant(organization, "chat", operation="qualification")

    async def cancelled_call() -> None:
        client = model.async_client()
        call = asyncio.ensure_future(
            client.chat.completions.create(model=model.model_id, messages=[])  # type: ignore[union-attr]
        )
        await asyncio.to_thread(entered.wait, 10)
        call.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled_call())
    assert fake.sent == []
    assert quota.free_tier_of(organization.pk).used == 0
    [row] = rows()
    assert (row.success, row.error_code, row.cost) == (False, "cancelled", Decimal(0))
    assert not UsageInbox.objects.exists()


def test_a_pause_that_the_provider_asks_for_reaches_the_workflow(tenant: Tenant, fake: FakeProvider) -> None:
    """Through an agent too: pydantic-ai's own error carries the headers."""
    from pydantic_ai import Agent

    fake.answer = lambda request: httpx2.Response(
        429, json={"error": {"message": "slow"}}, headers={"retry-after": "90"}
    )
    agent = Agent(tenant("openai").model())
    with pytest.raises(AIError) as caught, translated("openai"):
        asyncio.run(agent.run("Hello"))
    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 90.0)


@pytest.mark.parametrize(
    ("name", "url", "sent"),
    [
        (
            "Müller GmbH",
            "https://müller.example/über uns",
            ("Muller GmbH", "https://xn--mller-kva.example/%C3%BCber%20uns"),
        ),
        ("two\r\nlines", "https://acme.example", ("two lines", "https://acme.example")),
        ("日本", "https://acme.example", ("", "https://acme.example")),
    ],
)
def test_attribution_is_always_a_possible_header(name: str, url: str, sent: tuple[str, str]) -> None:
    from byok.providers import REGISTRY

    headers = REGISTRY["openrouter"].attribution_headers(site_url=url, site_name=name)
    assert (headers["X-Title"], headers["HTTP-Referer"]) == sent
