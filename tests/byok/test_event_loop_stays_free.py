"""Accounting of async calls waits for PostgreSQL in threads, over connections that are there already."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from byok.config.saving import save_ai_config
from byok.resolver import get_model_for_tenant
from tests.byok.conftest import Tenant
from tests.byok.fake_provider import MODELS, OPENROUTER_CHAT, STREAM, FakeProvider, chat_async, streamed
from tests.byok.keys import KEYS
from tests.factories import OrganizationFactory
from usage.models import UsageInbox
from usage.recording import durable


@pytest.mark.django_db
@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_goes_on_while_postgresql_takes_its_time(
    tenant: Tenant, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    model = tenant("openrouter")
    fake.answers(200, OPENROUTER_CHAT)
    if stream:
        fake.answer = lambda request: streamed(STREAM["openrouter"])
    asyncio.run(_once(model, stream))  # The SDK is imported by it.
    quick = durable.connection
    waited: list[float] = []

    @contextmanager
    def slow() -> Iterator[Any]:
        time.sleep(0.3)
        waited.append(0.3)
        with quick() as borrowed:
            yield borrowed

    monkeypatch.setattr("usage.recording.durable.connection", slow)
    gaps: list[float] = []

    async def watched() -> None:
        watching = asyncio.ensure_future(_watch(gaps))
        await _once(model, stream)
        watching.cancel()

    asyncio.run(watched())
    assert len(waited) >= (3 if stream else 2), "the key's row with the start, the name of a stream, the end"
    assert len(gaps) > 40
    assert max(gaps) < 0.2


async def _watch(gaps: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.01)
        gaps.append(time.monotonic() - before)


async def _once(model: Any, stream: bool) -> None:
    answer = await chat_async(model, stream=stream)
    if stream:
        async for _ in answer:
            pass


@pytest.mark.django_db(transaction=True)
def test_a_hundred_calls_open_no_connection_each(fake: FakeProvider) -> None:
    organization = OrganizationFactory()
    save_ai_config(organization, provider="openrouter", chat_model=MODELS["openrouter"], api_key=KEYS["openrouter"])
    model = get_model_for_tenant(organization, "chat", operation="research")
    fake.answers(200, OPENROUTER_CHAT)

    async def all_at_once() -> None:
        for _ in range(5):
            await asyncio.gather(*(chat_async(model) for _ in range(20)))

    opened_by_django = len(connections.all(initialized_only=True))
    before = durable._current_pool().get_stats().get("connections_num", 0)
    asyncio.run(all_at_once())
    assert UsageInbox.objects.filter(kind="finished").count() == 100
    assert durable._current_pool().get_stats()["connections_num"] - before <= durable.MAX_CONNECTIONS
    assert len(connections.all(initialized_only=True)) == opened_by_django
