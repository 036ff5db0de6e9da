"""Which row belongs to which stream: many at once, cut by whoever reads them, and what follows on the same connections.

Each stream is asked on behalf of a lead of its own and answered under a name of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic_ai import Agent

from byok.resolver import TenantModel, get_model_for_tenant
from leadagent.leads.running import event_loop
from leadagent.tenants.models import Organization
from tests.wire.answers import Fixture, says, usage
from tests.wire.provider import Aimock
from usage.models import AIUsage, UnsettledCall, UsageInbox

pytestmark = pytest.mark.django_db(transaction=True)

Rows = Callable[[], list[AIUsage]]
# So long that a stream is under way for half a second.
TEXT = "The gears of Gears Ltd turn and turn. " * 12
AT_ONCE = 6


@pytest.fixture
def accounting(transactional_db: None) -> None:
    """Streams that run at once write at once, each over a connection of its own."""


@pytest.fixture
def leads() -> list[UUID]:
    return [uuid4() for _ in range(AT_ONCE)]


def answers(*, latency: int = 15) -> list[Fixture]:
    """An answer for each number, with figures that no other one has."""
    return [
        says(TEXT, name=named(number), told=usage(1000 + number, 200 + number), when={"userMessage": question(number)})
        | {"latency": latency, "chunkSize": 16}
        for number in range(AT_ONCE)
    ]


def named(number: int) -> str:
    # OpenRouter's names begin so; by them it can be asked again.
    return f"gen-{number}"


def question(number: int) -> str:
    return f"Question {number}?"


@pytest.fixture
def models(tenant: Organization, mock: Aimock, leads: list[UUID]) -> list[TenantModel]:
    """The same model on behalf of each lead."""
    return [get_model_for_tenant(tenant, "chat", operation="research", lead=lead) for lead in leads]


def asked(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question(number)}], "stream": True}


def raw(model: TenantModel, client: Any, number: int) -> Any:
    """A stream of the official SDK."""
    more = {"max_tokens": 500} if model.provider == "anthropic" else {}
    endpoint = client.messages if model.provider == "anthropic" else client.chat.completions
    return endpoint.create(model=model.model_id, **more, **asked(number))


def by_lead(rows: list[AIUsage], leads: list[UUID]) -> list[AIUsage]:
    """One row per lead, in the order of the leads."""
    assert len(rows) == len(leads)
    found = {row.lead_id: row for row in rows}
    return [found[lead] for lead in leads]


def assert_whole(row: AIUsage, number: int) -> None:
    assert (row.provider_request_id, row.success, row.http_status) == (named(number), True, 200)
    assert (row.input_tokens, row.output_tokens) == (1000 + number, 200 + number)
    assert row.streamed
    assert row.cost


def assert_cut(row: AIUsage, number: int, code: str) -> None:
    assert (row.provider_request_id, row.success, row.error_code) == (named(number), False, code)
    assert row.http_status == 200
    # Anthropic tells what it has read before it writes; what it has written, nobody knows.
    assert row.input_tokens == (1000 + number if row.provider == "anthropic" else 0)
    assert row.cost is None


def test_agents_that_stream_at_once_each_have_their_own_row(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    mock.answers(*answers())

    async def ask(number: int) -> tuple[str, int, int]:
        async with Agent(models[number].model()).run_stream(question(number)) as run:
            text = "".join([piece async for piece in run.stream_text(delta=True, debounce_by=None)])
            return text, run.usage.input_tokens, run.usage.output_tokens

    async def ask_all() -> list[tuple[str, int, int]]:
        return await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))

    told = event_loop.run(ask_all(), timeout=30)

    assert told == [(TEXT, 1000 + number, 200 + number) for number in range(AT_ONCE)]
    for number, row in enumerate(by_lead(rows(), leads)):
        assert_whole(row, number)
    assert sorted(call.answer_id for call in mock.calls) == [named(number) for number in range(AT_ONCE)]


def test_of_agents_that_stream_at_once_the_one_that_stops_is_the_one_that_is_cut(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    mock.answers(*answers())

    async def ask(number: int) -> None:
        async with Agent(models[number].model()).run_stream(question(number)) as run:
            async for _ in run.stream_text(delta=True, debounce_by=None):
                if number % 2:
                    return

    async def ask_all() -> None:
        await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))

    event_loop.run(ask_all(), timeout=30)

    for number, row in enumerate(by_lead(rows(), leads)):
        if number % 2:
            assert_cut(row, number, "stream_cut")
        else:
            assert_whole(row, number)


def test_a_task_that_is_cancelled_in_its_stream_leaves_its_row(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    mock.answers(*answers(latency=40))

    async def cancel_one() -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in await raw(models[0], models[0].async_client(), 0):
                begun.set()

        reading = asyncio.create_task(read())
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    event_loop.run(cancel_one(), timeout=30)

    (row,) = by_lead(rows(), leads[:1])
    assert_cut(row, 0, "cancelled")


def test_raw_streams_read_in_turns_are_not_mixed_up(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    """Of three at once the second is closed early, while the others go on."""
    mock.answers(*answers())
    streams = [raw(model, model.client(), number) for number, model in enumerate(models[:3])]
    turns = [iter(stream) for stream in streams]
    for _ in range(3):
        for turn in turns:
            next(turn)
    streams[1].close()
    for number in (2, 0):
        assert list(turns[number])

    first, second, third = by_lead(rows(), leads[:3])
    assert_whole(first, 0)
    assert_cut(second, 1, "stream_cut")
    assert_whole(third, 2)


def test_what_follows_a_cut_stream_gets_its_own_answer(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    mock.answers(*answers())
    for number in range(4):
        stream = raw(models[number], models[number].client(), number)
        next(iter(stream))
        if number % 2 == 0:
            stream.close()
        else:
            assert list(stream)

    for number, row in enumerate(by_lead(rows(), leads[:4])):
        if number % 2 == 0:
            assert_cut(row, number, "stream_cut")
        else:
            assert_whole(row, number)
    # These are asked about afterwards, where the provider can be asked.
    assert set(UnsettledCall.objects.values_list("provider_request_id", flat=True)) == {named(0), named(2)}


def test_closing_after_the_last_figures_is_a_whole_answer(
    models: list[TenantModel], mock: Aimock, leads: list[UUID], rows: Rows
) -> None:
    mock.answers(*answers(latency=0))
    stream = raw(models[0], models[0].client(), 0)
    for event in stream:
        # The closing is still to come.
        if getattr(event, "type", "") == "message_delta" or (mock.provider != "anthropic" and event.usage):
            break
    stream.close()
    (row,) = by_lead(rows(), leads[:1])
    assert_whole(row, 0)
    assert not UsageInbox.objects.exists()
