"""Figures 7 and 8: draining the inbox into AIUsage and its rollup, one worker and two, empty table and full."""

from __future__ import annotations

import time

from django.db import connection

from tests.bench.measuring import alternate
from tests.bench.place import Bench, Worker
from tests.bench.report import Row, at_least, per_second
from tests.bench.seeding import new_events, start_of
from usage.ledger.ingest import drain
from usage.models import AIUsage, InboxKind, UsageDaily, UsageInbox


def figure_7(bench: Bench) -> list[Row]:
    count = bench.sizes.ingest
    bench.small.do("ingest.prepare_reference")
    pair = alternate(
        lambda: calls_per_second(bench.small, count),
        lambda: count / float(bench.small.do("ingest.insert_select", count=count)),
        runs=bench.sizes.runs,
    )
    figure = f"ingest, one worker, {count:,} calls a run, dedup and rollup included"
    note = "reference: INSERT … SELECT of the same rows"
    return [at_least(7, figure, per_second(pair.ours), per_second(pair.reference), pair.ratio, 0.5, note)]


def figure_8(bench: Bench) -> list[Row]:
    count = bench.sizes.ingest
    second = bench.worker_on("small")
    pair = alternate(
        lambda: calls_per_second(bench.small, count, second),
        lambda: calls_per_second(bench.small, count),
        runs=bench.sizes.runs,
    )
    ours, reference = per_second(pair.ours), per_second(pair.reference)
    rows = [at_least(8, "ingest with 2 workers", ours, reference, pair.ratio, 1.4, "reference: one worker")]
    doubled = bench.small.do("ingest.doubled")
    rows.append(Row(8, "rows doubled or missing in the rollup", str(doubled), goal="0", met=doubled == 0))
    pair = alternate(
        lambda: calls_per_second(bench.full, count), lambda: calls_per_second(bench.small, count), runs=bench.sizes.runs
    )
    figure = f"ingest into {bench.sizes.events:,} rows"
    note = f"reference: into a table that held {bench.sizes.small_events:,}"
    ours, reference = per_second(pair.ours), per_second(pair.reference)
    rows.append(at_least(8, figure, ours, reference, pair.ratio, 0.9, note))
    return rows


def calls_per_second(worker: Worker, count: int, *others: Worker) -> float:
    """Calls per second from a full inbox to an empty one."""
    worker.do("ingest.fill_inbox", count=count)
    drainers = (worker, *others)
    for drainer in others:
        # It is there already, with its connection open.
        drainer.do("ingest.waiting")
    begun = time.perf_counter()
    for drainer in drainers:
        drainer.begin("ingest.drain_all")
    taken = sum(int(drainer.end()) for drainer in drainers)
    seconds = time.perf_counter() - begun
    assert taken == count, (taken, count)
    return count / seconds


# --- In the worker ------------------------------------------------------------------


def fill_inbox(count: int) -> int:
    """So many calls' two events each, as the recorder writes them; what was there before is drained first."""
    drain_all()
    events = new_events(count)
    rows = []
    for event in events:
        rows.append(UsageInbox(event_id=event.id, kind=InboxKind.STARTED, payload=start_of(event).payload()))
        rows.append(UsageInbox(event_id=event.id, kind=InboxKind.FINISHED, payload=event.payload()))
    UsageInbox.objects.bulk_create(rows, batch_size=2000)
    with connection.cursor() as cursor:
        # As autovacuum leaves them; in a run of seconds it has no turn.
        cursor.execute("VACUUM (ANALYZE) usage_usageinbox")
    return len(rows)


def waiting() -> int:
    """Finished events in the inbox."""
    return UsageInbox.objects.filter(kind=InboxKind.FINISHED).count()


def drain_all() -> int:
    """Empty the inbox as the task does it; returns how many events that were."""
    total = 0
    while taken := drain().taken:
        total += taken
    return total


def doubled() -> int:
    """By how many rows AIUsage, its distinct ids and its rollup differ."""
    rows = AIUsage.objects.count()
    ids = AIUsage.objects.values("id").distinct().count()
    summed = sum(UsageDaily.objects.values_list("requests", flat=True))
    return abs(rows - ids) + abs(rows - summed)


def prepare_reference() -> None:
    """A table like AIUsage with the same indexes, and one that holds rows to put into it."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_source, bench_target")
        cursor.execute("CREATE TABLE bench_source (LIKE usage_aiusage)")
        cursor.execute("CREATE TABLE bench_target (LIKE usage_aiusage INCLUDING ALL)")


def insert_select(count: int) -> float:
    """Seconds of one INSERT … SELECT of the rows that the latest drain has stored."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE bench_source, bench_target")
        cursor.execute(
            "INSERT INTO bench_source SELECT * FROM usage_aiusage ORDER BY created_at DESC, id DESC LIMIT %s", [count]
        )
        assert cursor.rowcount == count
        cursor.execute("ANALYZE bench_source")
        begun = time.perf_counter()
        cursor.execute("INSERT INTO bench_target SELECT * FROM bench_source ORDER BY id")
        return time.perf_counter() - begun
