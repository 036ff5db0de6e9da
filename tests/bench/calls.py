"""Figures 1, 2, 3, 4 and 6: a metered, durable call against the bare SDK on a kept client.

"Ours" is what CLAUDE.md tells a developer to write: ask the resolver, take the client, call.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from byok.resolver import get_model_for_tenant
from leadagent.tenants.models import Organization
from tests.bench.measuring import Pair, alternate, seconds_per_call
from tests.bench.place import Bench, Worker
from tests.bench.report import Row, at_least, at_most, milliseconds, not_measured, per_second
from usage.recording import durable

MESSAGES: Any = [{"role": "user", "content": "Is this lead worth a call?"}]
THREADS = 32
SDKS = ("openai", "anthropic")


def figure_1(bench: Bench) -> list[Row]:
    rows = []
    for sdk in SDKS:
        pair = _pair(bench, bench.full, sdk=sdk, wait=0, times=bench.sizes.calls)
        rows.append(_row(1, f"metered call, provider at 0 ms, {sdk}", pair, 1.7))
    return rows


def figure_2(bench: Bench) -> list[Row]:
    pair = _pair(bench, bench.full, sdk="openai", wait=200, times=bench.sizes.slow_calls)
    return [_row(2, "metered call, provider at 200 ms, openai", pair, 1.02)]


def figure_3(bench: Bench) -> list[Row]:
    figure, goal = "metered call, provider at 0 ms, against litellm", "≤ 0.65×"
    if not bench.litellm:
        why = "not measured: needs --litellm PATH, the Python of an environment with litellm"
        return [not_measured(3, figure, goal, why)]
    with _litellm(bench) as reference:
        times = bench.sizes.calls
        pair = alternate(
            lambda: float(bench.full.do("calls.ours", sdk="openai", wait=0, times=times)),
            lambda: reference(times),
            runs=bench.sizes.runs,
        )
    return [_row(3, figure, pair, 0.65)]


def figure_4(bench: Bench) -> list[Row]:
    times = max(bench.sizes.calls // 5, 2)
    pair = alternate(
        lambda: float(bench.full.do("calls.side_by_side", whose="ours", times=times)),
        lambda: float(bench.full.do("calls.side_by_side", whose="bare", times=times)),
        runs=bench.sizes.runs,
    )
    return [
        at_least(
            4,
            f"{THREADS} concurrent metered calls",
            per_second(pair.ours, "calls"),
            per_second(pair.reference, "calls"),
            pair.ratio,
            0.6,
        )
    ]


def figure_6(bench: Bench) -> list[Row]:
    times = bench.sizes.slow_calls
    pair = alternate(
        lambda: float(bench.full.do("calls.ours", sdk="openai", wait=50, times=times, stream=True)),
        lambda: float(bench.full.do("calls.bare", sdk="openai", wait=50, times=times, stream=True)),
        runs=bench.sizes.runs,
    )
    return [_row(6, "first streamed token, provider at 50 ms", pair, 1.05)]


def _pair(bench: Bench, worker: Worker, *, sdk: str, wait: int, times: int) -> Pair:
    return alternate(
        lambda: float(worker.do("calls.ours", sdk=sdk, wait=wait, times=times)),
        lambda: float(worker.do("calls.bare", sdk=sdk, wait=wait, times=times)),
        runs=bench.sizes.runs,
    )


def _row(number: int, figure: str, pair: Pair, limit: float) -> Row:
    return at_most(number, figure, milliseconds(pair.ours), milliseconds(pair.reference), pair.ratio, limit)


@contextmanager
def _litellm(bench: Bench) -> Iterator[Callable[[int], float]]:
    """litellm in a process of its own environment, told on its input how often to call."""
    process = subprocess.Popen(
        [bench.litellm, str(Path(__file__).with_name("litellm_calls.py")), f"{bench.provider}/0ms/openai/v1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    wanted, told = process.stdin, process.stdout

    def measure(times: int) -> float:
        wanted.write(f"{times}\n")
        wanted.flush()
        return float(told.readline())

    try:
        yield measure
    finally:
        wanted.close()
        process.wait(timeout=30)
        told.close()


# --- In the worker ------------------------------------------------------------------


def ours(sdk: str, wait: int, times: int, stream: bool = False) -> float:
    """Seconds per metered call (to the first token of a stream), the resolver's answer and the client included."""
    with _provider_at(wait):
        return _time(lambda: _client(_busy(sdk)), times, stream=stream)


def bare(sdk: str, wait: int, times: int, stream: bool = False) -> float:
    """The same by the SDK alone, on a client that is kept."""
    kept = _kept_client(sdk, wait)
    return _time(lambda: (kept, _MODELS[sdk]), times, stream=stream)


def durable_insert() -> float:
    """Seconds of one autocommit INSERT over the call path's connections: what this machine's disk asks for."""
    with durable.connection() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_insert (at timestamptz)")
        return seconds_per_call(lambda: connection.execute("INSERT INTO bench_insert VALUES (now())"), 50)


def side_by_side(whose: str, times: int) -> float:
    """Calls per second of so many threads, each of an organisation of its own."""
    organizations = list(Organization.objects.order_by("pk")[:THREADS])
    while len(organizations) < THREADS:
        organizations.append(organizations[0])
    kept = _kept_client("openai", 0)
    barrier = threading.Barrier(THREADS + 1)
    failed: list[BaseException] = []

    def work(organization: Organization) -> None:
        try:
            _call(*(_client(organization) if whose == "ours" else (kept, _MODELS["openai"])))
            barrier.wait()
            for _ in range(times):
                _call(*(_client(organization) if whose == "ours" else (kept, _MODELS["openai"])))
        except BaseException as error:
            failed.append(error)
            barrier.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[organization]) for organization in organizations]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return THREADS * times / (time.perf_counter() - begun)


_MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}


@cache
def _busy(sdk: str) -> Organization:
    """An organisation whose chat provider is this SDK's."""
    from byok.config.saving import save_ai_config

    organization = Organization.objects.get(slug={"openai": "org-1", "anthropic": "org-2"}[sdk])
    save_ai_config(organization, provider=sdk, chat_model=_MODELS[sdk])
    return organization


def _client(organization: Organization) -> tuple[Any, str]:
    model = get_model_for_tenant(organization, "chat", operation="qualification")
    return model.client(), model.model_id


@cache
def _kept_client(sdk: str, wait: int) -> Any:
    import anthropic
    import openai

    url = settings.PROVIDER_URLS[sdk].replace("/0ms/", f"/{wait}ms/")
    made: Any = openai.OpenAI if sdk == "openai" else anthropic.Anthropic
    # The key is good for the mock only; it has the shape that the SDK expects.
    return made(api_key="sk-held-by-the-mock", base_url=url, max_retries=0, timeout=60.0)


def _time(client: Callable[[], tuple[Any, str]], times: int, *, stream: bool) -> float:
    if not stream:
        return seconds_per_call(lambda: _call(*client()), times)
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        sdk, model = client()
        answer = sdk.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        next(iter(answer))
        taken.append(time.perf_counter() - begun)
        for _chunk in answer:
            pass
    return sorted(taken)[len(taken) // 2]


def _call(client: Any, model: str) -> None:
    if model == _MODELS["anthropic"]:
        client.messages.create(model=model, max_tokens=64, messages=MESSAGES)
    else:
        client.chat.completions.create(model=model, messages=MESSAGES)


@contextmanager
def _provider_at(wait: int) -> Iterator[None]:
    """The mock provider that takes so many milliseconds: an operator's setting."""
    before = settings.PROVIDER_URLS
    settings.PROVIDER_URLS = json.loads(json.dumps(before).replace("/0ms/", f"/{wait}ms/"))
    try:
        yield
    finally:
        settings.PROVIDER_URLS = before
