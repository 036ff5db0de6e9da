"""Where the time of a metered call goes, part by part: `python -m tests.bench.call_parts` (`--sdk anthropic`).

The call of figure 1, with a stop-watch around the parts of its path. CPU is that of the calling thread; what the wall
clock has more is waiting: for PostgreSQL's disk, for the provider, for other processes. An indented part
is within the one above it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from tests.bench.place import Sizes, bench

CALLS = 400
SDKS = ("openai", "anthropic")
SIZES = Sizes(events=20_000, small_events=2_000, organizations=50)
# What it is called in the table, and which function it is; the product's modules are imported in the worker only.
PARTS = (
    ("resolver, and the SDK's client made", "tests.bench.calls:_client"),
    ("the call", "tests.bench.calls:_call"),
    ("  the request read, its event made", "byok.calls.metering:Exchange.__init__"),
    ("  admitted", "byok.calls.gate:Gate.admit"),
    ("    the key's row looked at, the start written", "usage.recording.recorder:begin_if"),
    ("    rate limit", "byok.calls.gate:Gate._pace"),
    ("  sent, headers of the answer read", "byok.wire:_send"),
    ("    the wire copy made, the key put on it", "byok.wire:_wire_copy"),
    ("  the answer's usage read and priced", "byok.calls.metering:Exchange.complete"),
    ("  settled", "byok.calls.gate:Gate.settle"),
    ("    the end written", "usage.recording.recorder:track_ai_usage"),
    ("    tokens of the rate limit counted", "usage.spending.rate_limit:count_tokens"),
    ("    the key's state noted", "byok.keys.credentials:note_outcome"),
    ("    metrics and trace", "byok.calls.gate:tell_operators"),
)


@dataclass(slots=True)
class _Spent:
    cpu: float = 0.0
    wall: float = 0.0


def main() -> None:
    """Measure in a process of the product, print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.call_parts", description=__doc__)
    parser.add_argument("--sdk", choices=SDKS, default="openai")
    sdk = parser.parse_args().sdk
    with bench(SIZES) as place:
        table = place.full.do("call_parts.measure", sdk=sdk, times=CALLS)
    print(f"\n| {sdk}, provider at 0 ms, {CALLS} calls: µs per call | CPU | wall |\n|---|---|---|")
    for name, cpu, wall in table:
        print(f"| {name.replace('  ', '– ')} | {cpu:,.0f} | {wall:,.0f} |")


# --- In the worker ------------------------------------------------------------------


def measure(sdk: str, times: int) -> list[tuple[str, float, float]]:
    """(name, CPU, wall) of the bare SDK's call, of ours as a whole, and of ours by its parts; µs per call."""
    from tests.bench import calls

    for run in (calls.ours, calls.bare):
        run(sdk, 0, times // 5)
    told = [("the bare SDK", calls.bare), ("metered, as a whole", calls.ours)]
    table = [(name, *_spent(lambda run=run: run(sdk, 0, times), times)) for name, run in told]  # type: ignore[misc]
    spent = {name: _Spent() for name, _ in PARTS}
    with ExitStack() as watched:
        for name, function in PARTS:
            timed = _timed(resolve_name(function), spent[name])
            watched.enter_context(patch(function.replace(":", "."), timed))
        calls.ours(sdk, 0, times)
    return table + [(name, each.cpu / times * 1e6, each.wall / times * 1e6) for name, each in spent.items()]


def _spent(work: Callable[[], object], times: int) -> tuple[float, float]:
    cpu, wall = time.thread_time(), time.perf_counter()
    work()
    return (time.thread_time() - cpu) / times * 1e6, (time.perf_counter() - wall) / times * 1e6


def _timed(function: Callable[..., Any], spent: _Spent) -> Callable[..., Any]:
    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        cpu, wall = time.thread_time(), time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent.cpu += time.thread_time() - cpu
            spent.wall += time.perf_counter() - wall

    return timed


if __name__ == "__main__":
    main()
