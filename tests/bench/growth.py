"""Figure 18: what figures 1, 7 and 9 cost with the full database, against the same with the small one."""

from __future__ import annotations

from tests.bench.calls import SDKS
from tests.bench.ingest import calls_per_second
from tests.bench.measuring import alternate
from tests.bench.pages import DASHBOARD, server_time
from tests.bench.place import Bench, Worker
from tests.bench.report import Row, at_most, milliseconds

LIMIT = 1.2


def figure_18(bench: Bench) -> list[Row]:
    sizes = bench.sizes
    span = f"from {sizes.small_events:,} to {sizes.events:,} events"

    def call(worker: Worker) -> float:
        return float(worker.do("calls.ours", sdk=SDKS[0], wait=0, times=sizes.calls))

    measures = {
        "a metered call": call,
        "ingest of one call": lambda worker: 1 / calls_per_second(worker, sizes.ingest),
        "the dashboard": lambda worker: server_time(bench, worker, DASHBOARD),
    }
    rows = []
    for what, measure in measures.items():
        pair = alternate(
            lambda measure=measure: measure(bench.full),  # type: ignore[misc]
            lambda measure=measure: measure(bench.small),  # type: ignore[misc]
            runs=sizes.runs,
        )
        ours, reference = milliseconds(pair.ours), milliseconds(pair.reference)
        rows.append(at_most(18, f"{what}, {span}", ours, reference, pair.ratio, LIMIT))
    return rows
